// What would be gone if the power went now, and the power cut itself: for disk.c, which takes the calls. The lock is held
// by whoever calls a function of this file.

#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// The test's side of this is in disk.rs.
enum mode {
  NONE = 0,
  LOST = 1,          // power cut before the call: everything unsynced is gone
  TORN = 2,          // as LOST, but this file's earlier bytes and half of the call's own are on disk
  TORN_SECTOR = 3,   // as TORN, half rounded down to whole sectors
  REORDERED = 4,     // as LOST, but the call itself is on disk: nothing written before it is
  KILLED = 5,        // the process dies before the call; what it wrote is kept
  FAILED = 6,        // carried out, and answered with EIO
  NO_SPACE = 7,      // not carried out, ENOSPC
  READ_ONLY = 8,     // from now on everything is answered with EROFS
  BROKEN = 9,        // from now on everything is answered with EIO
  LYING = 10,        // as LOST at that call; until then, syncs do nothing and answer that they did
  CUT_NOW = 11,      // as LOST, at once, whatever the process does
};

struct control {
  volatile uint32_t mode;
  volatile uint32_t classes; // of files that count, one bit each
  volatile uint64_t countdown; // 1: the next call
  volatile uint32_t fired;
  uint32_t unused;
  char where[256];
};

#define SECTOR 512

struct undo { // bytes as they are on disk, overwritten since
  struct undo *next;
  off_t at;
  size_t length;
  char bytes[];
};

struct file {
  struct file *next;
  dev_t dev;
  ino_t ino;
  off_t synced; // its size on disk
  struct undo *undo; // newest first
  char path[PATH_MAX];
};

enum change { MADE, MADE_FOLDER, MOVED, REMOVED };

struct name { // a change of a folder that is not on disk yet, newest first
  struct name *next;
  enum change change;
  char path[PATH_MAX];
  char to[PATH_MAX];
  char kept[PATH_MAX]; // where what was removed or replaced is kept; empty if nothing was
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char dir[PATH_MAX], keep[PATH_MAX];
static size_t dir_length;
static struct control *control;
static struct file *files;
static struct name *names;
static unsigned kept;
static int persistent; // the errno of every later call

static long sys_open(const char *path, int flags, mode_t mode) { return syscall(SYS_openat, AT_FDCWD, path, flags, mode); }
static long sys_close(int fd) { return syscall(SYS_close, fd); }
static ssize_t sys_pwrite(int fd, const void *b, size_t n, off_t at) { return syscall(SYS_pwrite64, fd, b, n, at); }
static ssize_t sys_pread(int fd, void *b, size_t n, off_t at) { return syscall(SYS_pread64, fd, b, n, at); }
static int sys_truncate(int fd, off_t size) { return (int)syscall(SYS_ftruncate, fd, size); }
static int sys_rename(const char *a, const char *b) { return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 0); }
static int sys_unlink(const char *path) { return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

static int below(const char *path) { return dir_length && !strncmp(path, dir, dir_length) && path[dir_length] == '/'; }

// What nothing depends on: the log that the test keeps of the process, RocksDB's own log and its lock.
static int matters(const char *path) {
  const char *name = strrchr(path, '/');
  name = name ? name + 1 : path;
  return below(path) && strncmp(name, "LOG", 3) && strcmp(name, "LOCK") && strcmp(name, "log.txt");
}

static uint32_t class_of(const char *path) {
  const char *rest = path + dir_length + 1;
  if (!strncmp(rest, "wal", 3)) return 0;
  if (!strncmp(rest, "data", 4)) return 1;
  if (!strncmp(rest, "identity", 8)) return 2;
  if (!strncmp(rest, "archive", 7)) return 3;
  return 4;
}

// A path as the kernel tells it of a descriptor: without "/./" and "//".
static const char *plain(const char *path, char *out) {
  size_t n = 0;
  for (const char *c = path; *c && n < PATH_MAX - 1; c++) {
    while (c[0] == '/' && (c[1] == '/' || (c[1] == '.' && (c[2] == '/' || !c[2])))) c += c[1] == '/' ? 1 : 2;
    if (!*c) break;
    out[n++] = *c;
  }
  out[n] = 0;
  return out;
}

static int path_of(int fd, char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return path[0] == '/';
}

static void give_up(const char *what) {
  dprintf(2, "the disk of the test failed by itself: %s: %s\n", what, strerror(errno));
  syscall(SYS_exit_group, 99);
}

static struct file *find(dev_t dev, ino_t ino) {
  for (struct file *f = files; f; f = f->next)
    if (f->dev == dev && f->ino == ino) return f;
  return NULL;
}

static void forget(dev_t dev, ino_t ino) {
  for (struct file **at = &files; *at; at = &(*at)->next)
    if ((*at)->dev == dev && (*at)->ino == ino) {
      struct file *gone = *at;
      *at = gone->next;
      for (struct undo *u = gone->undo, *next; u; u = next) next = u->next, free(u);
      free(gone);
      return;
    }
}

// The file behind a descriptor, if it is one that matters. The lock is held.
static struct file *file_of(int fd) {
  struct stat st;
  if (fd <= 2 || !control || fstat(fd, &st) || !S_ISREG(st.st_mode)) return NULL;
  struct file *f = find(st.st_dev, st.st_ino);
  if (f) return f;
  char path[PATH_MAX];
  if (!path_of(fd, path) || !matters(path)) return NULL;
  f = calloc(1, sizeof *f);
  if (!f) give_up("memory");
  f->dev = st.st_dev, f->ino = st.st_ino, f->synced = st.st_size;
  strcpy(f->path, path);
  f->next = files;
  return files = f;
}

// Remembers the bytes on disk in this range before they change.
static void remember(struct file *f, int fd, off_t at, size_t length) {
  if (at >= f->synced || !length) return;
  if (at + (off_t)length > f->synced) length = f->synced - at;
  struct undo *u = malloc(sizeof *u + length);
  // The descriptor may be open for writing only.
  int reader = (int)sys_open(f->path, O_RDONLY | O_CLOEXEC, 0);
  if (!u || reader < 0) give_up(f->path);
  ssize_t n = sys_pread(reader, u->bytes, length, at);
  sys_close(reader);
  (void)fd;
  if (n < 0) give_up(f->path);
  u->at = at, u->length = n, u->next = f->undo;
  f->undo = u;
}

static void on_disk(struct file *f, int fd) {
  struct stat st;
  if (fstat(fd, &st)) return;
  f->synced = st.st_size;
  for (struct undo *u = f->undo, *next; u; u = next) next = u->next, free(u);
  f->undo = NULL;
}

static void set_aside(char *path) { snprintf(path, PATH_MAX, "%s/%u-%u", keep, getpid(), kept++); }

static void note(enum change change, const char *path, const char *to, const char *kept_at) {
  struct name *n = calloc(1, sizeof *n);
  if (!n) give_up("memory");
  n->change = change;
  strcpy(n->path, path);
  strcpy(n->to, to);
  strcpy(n->kept, kept_at);
  n->next = names;
  names = n;
}

static int is_in(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return !strncmp(path, folder, n) && path[n] == '/' && !strchr(path + n + 1, '/');
}

// A folder was synced: what changed in it is on disk.
static void folder_on_disk(const char *folder) {
  for (struct name **at = &names; *at;) {
    struct name *n = *at;
    if (!is_in(n->change == MOVED ? n->to : n->path, folder)) {
      at = &n->next;
      continue;
    }
    if (n->kept[0]) {
      struct stat st;
      if (!stat(n->kept, &st)) {
        if (st.st_nlink == 1) forget(st.st_dev, st.st_ino);
        sys_unlink(n->kept);
      }
    }
    *at = n->next;
    free(n);
  }
}

static void put_back(struct file *f) {
  if (!f->undo) {
    struct stat st;
    if (stat(f->path, &st) || st.st_size <= f->synced) return;
  }
  int fd = (int)sys_open(f->path, O_WRONLY | O_CLOEXEC, 0);
  if (fd < 0) return; // its folder or its name is gone for good
  for (struct undo *u = f->undo; u; u = u->next)
    if (sys_pwrite(fd, u->bytes, u->length, u->at) != (ssize_t)u->length) give_up(f->path);
  if (sys_truncate(fd, f->synced)) give_up(f->path);
  sys_close(fd);
}

static void moved(const char *from, const char *to) {
  size_t n = strlen(from);
  char rest[PATH_MAX];
  for (struct file *f = files; f; f = f->next)
    if (!strncmp(f->path, from, n) && (f->path[n] == '/' || !f->path[n])) {
      strcpy(rest, f->path + n);
      snprintf(f->path, PATH_MAX, "%s%s", to, rest);
    }
}

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// The power goes. What is on disk stays; of `spared`, everything that was written.
static void cut(struct file *spared, const char *spared_name) {
  for (struct file *f = files; f; f = f->next)
    if (f != spared) put_back(f);
  for (struct name *n = names; n; n = n->next) {
    char aside[PATH_MAX];
    set_aside(aside);
    if (spared_name && !strcmp(n->change == MOVED ? n->to : n->path, spared_name)) continue;
    switch (n->change) {
      case MADE: sys_rename(n->path, aside); break;
      case MADE_FOLDER: sys_rename(n->path, aside); break;
      case MOVED:
        sys_rename(n->to, n->path);
        if (n->kept[0]) sys_rename(n->kept, n->to);
        break;
      case REMOVED: sys_rename(n->kept, n->path); break;
    }
  }
  die();
}
