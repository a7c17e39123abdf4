// A disk that fails at one write: loaded before a process (LD_PRELOAD), it takes every call that changes the files below
// FAULT_DIR and remembers what would be gone if the power went now. The file FAULT_CONTROL says at which of these calls
// what goes wrong; a test may change it while the process runs.
//
// On disk is only what was synced: bytes of a file by fsync or fdatasync of it, names (made, moved, removed) by fsync of
// their folder. POSIX promises no more, and a program that relies on no more is safe on every file system. Bytes that
// were there when the process began count as synced. The real disk is never synced: this file stands for it.
//
// A power cut puts everything else back as it was and ends the process by SIGKILL. All calls take one lock, so the cut
// has one moment.

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

// Counts a call on a path. Answers what goes wrong with it.
static enum mode strike(const char *call, const char *path, off_t at, size_t length) {
  uint32_t class = class_of(path);
  if (persistent) return persistent == EROFS ? READ_ONLY : BROKEN;
  enum mode mode = control->mode;
  if (mode == NONE || mode == CUT_NOW || control->fired || !(control->classes >> class & 1)) return NONE;
  if (control->countdown > 1) {
    control->countdown--;
    return NONE;
  }
  control->countdown = 0;
  snprintf(control->where, sizeof control->where, "%s %s at %lld, %zu bytes", call, path + dir_length + 1, (long long)at, length);
  control->fired = 1;
  if (mode == READ_ONLY) persistent = EROFS;
  if (mode == BROKEN) persistent = EIO;
  if (mode == KILLED) die();
  if (mode == LOST || mode == LYING) cut(NULL, NULL);
  return mode;
}

static int failed(enum mode mode) {
  switch (mode) {
    case NO_SPACE: errno = ENOSPC; return 1;
    case READ_ONLY: errno = EROFS; return 1;
    case BROKEN: errno = EIO; return 1;
    default: return 0;
  }
}

// One write of `length` bytes; `at` is -1 for the descriptor's own place.
static ssize_t change(const char *call, int fd, const struct iovec *parts, int count, off_t at) {
  pthread_mutex_lock(&lock);
  struct file *f = file_of(fd);
  ssize_t done = -1;
  if (!f) {
    pthread_mutex_unlock(&lock);
    return at < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, at, 0);
  }
  size_t length = 0;
  for (int i = 0; i < count; i++) length += parts[i].iov_len;
  struct stat st;
  off_t place = at;
  if (at < 0) place = fcntl(fd, F_GETFL) & O_APPEND ? (fstat(fd, &st), st.st_size) : lseek(fd, 0, SEEK_CUR);
  enum mode mode = strike(call, f->path, place, length);
  if (mode == TORN || mode == TORN_SECTOR || mode == REORDERED) {
    size_t stays = mode == REORDERED ? length : length / 2;
    if (mode == TORN_SECTOR) stays -= (place + stays) % SECTOR < stays ? (place + stays) % SECTOR : stays;
    if (mode == REORDERED) put_back(f);
    for (int i = 0; i < count && stays; i++) {
      size_t n = parts[i].iov_len < stays ? parts[i].iov_len : stays;
      if (sys_pwrite(fd, parts[i].iov_base, n, place) != (ssize_t)n) give_up(f->path);
      place += n, stays -= n;
    }
    cut(f, f->path);
  }
  if (!failed(mode)) {
    remember(f, fd, place, length);
    done = at < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, at, 0);
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

ssize_t write(int fd, const void *bytes, size_t n) {
  struct iovec part = {(void *)bytes, n};
  return change("write", fd, &part, 1, -1);
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  struct iovec part = {(void *)bytes, n};
  return change("pwrite", fd, &part, 1, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) { return pwrite(fd, bytes, n, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) { return change("writev", fd, parts, n, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) { return change("pwritev", fd, parts, n, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at) { return change("pwritev", fd, parts, n, at); }

// A file or a folder reaches the disk.
static int sync_(const char *call, int fd) {
  char path[PATH_MAX];
  struct stat st;
  int done = 0;
  pthread_mutex_lock(&lock);
  struct file *f = file_of(fd);
  int folder = !f && fd > 2 && control && !fstat(fd, &st) && S_ISDIR(st.st_mode) && path_of(fd, path) &&
               (below(path) || !strcmp(path, dir));
  if (!f && !folder) {
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_fsync, fd);
  }
  if (folder && !strcmp(path, dir)) strcat(path, "/");
  enum mode mode = strike(call, f ? f->path : path, 0, 0);
  if (folder && path[strlen(path) - 1] == '/') path[strlen(path) - 1] = 0;
  if (mode == TORN || mode == TORN_SECTOR || mode == REORDERED) {
    // Half of what it was to bring to the disk is there; or all of it, before what was written earlier.
    if (f && mode != REORDERED && !fstat(fd, &st) && st.st_size > f->synced) {
      off_t half = f->synced + (st.st_size - f->synced) / 2;
      if (mode == TORN_SECTOR) half -= half - half % SECTOR >= f->synced ? half % SECTOR : half - f->synced;
      if (sys_truncate(fd, half)) give_up(f->path);
    }
    if (folder && mode == REORDERED) folder_on_disk(path);
    cut(f, f ? f->path : NULL);
  }
  if (failed(mode)) {
    done = -1;
  } else {
    if (control->mode != LYING) {
      if (f) on_disk(f, fd);
      else folder_on_disk(path);
    }
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int fsync(int fd) { return sync_("fsync", fd); }
int fdatasync(int fd) { return sync_("fdatasync", fd); }

// It starts writing back, and promises nothing.
int sync_file_range(int fd, off64_t at, off64_t length, unsigned flags) {
  (void)flags;
  int done = 0;
  pthread_mutex_lock(&lock);
  struct file *f = file_of(fd);
  if (f) {
    enum mode mode = strike("sync_file_range", f->path, at, length);
    if (mode >= TORN && mode <= REORDERED) cut(NULL, NULL);
    if (failed(mode)) done = -1;
    else if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

static int resize(const char *call, int fd, off_t size) {
  pthread_mutex_lock(&lock);
  struct file *f = file_of(fd);
  int done = -1;
  struct stat st;
  enum mode mode = NONE;
  if (f && fstat(fd, &st)) give_up(f->path);
  if (f) mode = strike(call, f->path, size, 0);
  if (mode == TORN || mode == TORN_SECTOR) cut(NULL, NULL); // a size changes wholly or not at all
  if (!failed(mode)) {
    if (f && mode == REORDERED) put_back(f);
    if (f && size < st.st_size) remember(f, fd, size, st.st_size - size);
    done = sys_truncate(fd, size);
    if (mode == REORDERED) cut(f, f->path);
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int ftruncate(int fd, off_t size) { return resize("ftruncate", fd, size); }
int ftruncate64(int fd, off64_t size) { return resize("ftruncate", fd, size); }

static int reserve(int fd, int how, off_t at, off_t length) {
  pthread_mutex_lock(&lock);
  struct file *f = file_of(fd);
  enum mode mode = f ? strike("fallocate", f->path, at, length) : NONE;
  if (mode >= TORN && mode <= REORDERED) cut(NULL, NULL);
  int done = failed(mode) ? -1 : (int)syscall(SYS_fallocate, fd, how, at, length);
  if (mode == FAILED) errno = EIO, done = -1;
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int fallocate(int fd, int how, off_t at, off_t length) { return reserve(fd, how, at, length); }
int fallocate64(int fd, int how, off64_t at, off64_t length) { return reserve(fd, how, at, length); }

int rename(const char *from, const char *to) {
  char plain_from[PATH_MAX], plain_to[PATH_MAX];
  from = plain(from, plain_from), to = plain(to, plain_to);
  pthread_mutex_lock(&lock);
  int done = -1;
  enum mode mode = NONE;
  int ours = control && matters(from) && matters(to);
  if (ours) mode = strike("rename", to, 0, 0);
  if (mode == TORN || mode == TORN_SECTOR) cut(NULL, NULL); // a name changes wholly or not at all
  if (ours && mode == REORDERED) {
    // The new name is on disk before the bytes of the file behind it.
    for (struct file *f = files; f; f = f->next) put_back(f);
    sys_rename(from, to);
    die();
  }
  if (!failed(mode)) {
    char aside[PATH_MAX] = "";
    struct stat st;
    if (ours && !stat(to, &st)) {
      set_aside(aside);
      if (S_ISREG(st.st_mode) ? link(to, aside) : 1) aside[0] = 0;
      else moved(to, aside);
    }
    done = sys_rename(from, to);
    if (ours && !done) moved(from, to), note(MOVED, from, to, aside);
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

static int drop(int at_fd, const char *path, int flags) {
  char whole[2 * PATH_MAX] = "";
  if (path[0] == '/') plain(path, whole);
  else if (at_fd != AT_FDCWD && path_of(at_fd, whole)) snprintf(whole + strlen(whole), PATH_MAX, "/%s", path);
  pthread_mutex_lock(&lock);
  int done = -1;
  enum mode mode = NONE;
  int ours = control && strlen(whole) < PATH_MAX && matters(whole) && !(flags & AT_REMOVEDIR);
  if (ours) mode = strike("unlink", whole, 0, 0);
  if (mode == TORN || mode == TORN_SECTOR) cut(NULL, NULL);
  if (!failed(mode)) {
    char aside[PATH_MAX] = "";
    if (ours) {
      set_aside(aside);
      if (link(whole, aside)) aside[0] = 0;
    }
    done = (int)syscall(SYS_unlinkat, at_fd, path, flags);
    if (ours && !done && mode == REORDERED) cut(NULL, NULL);
    if (ours && !done && aside[0]) moved(whole, aside), note(REMOVED, whole, "", aside);
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

int unlink(const char *path) { return drop(AT_FDCWD, path, 0); }
int unlinkat(int fd, const char *path, int flags) { return drop(fd, path, flags); }

int mkdir(const char *path, mode_t how) {
  char plain_path[PATH_MAX];
  path = plain(path, plain_path);
  pthread_mutex_lock(&lock);
  int done = -1;
  struct stat st;
  int ours = control && below(path) && stat(path, &st);
  enum mode mode = ours ? strike("mkdir", path, 0, 0) : NONE;
  if (mode >= TORN && mode <= REORDERED) cut(NULL, NULL);
  if (!failed(mode)) {
    done = (int)syscall(SYS_mkdirat, AT_FDCWD, path, how);
    if (ours && !done) note(MADE_FOLDER, path, "", "");
    if (mode == FAILED) errno = EIO, done = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return done;
}

static int open_(const char *path, int flags, mode_t how) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);
  char plain_path[PATH_MAX];
  if (!control || !writes || !matters(plain(path, plain_path))) return (int)sys_open(path, flags, how);
  path = plain_path;
  pthread_mutex_lock(&lock);
  int fd = -1;
  struct stat st;
  int is_new = stat(path, &st) != 0;
  int empties = !is_new && flags & O_TRUNC && st.st_size > 0;
  enum mode mode = NONE;
  if ((is_new && flags & O_CREAT) || empties || persistent) mode = strike("open", path, 0, 0);
  if (mode == TORN || mode == TORN_SECTOR) cut(NULL, NULL);
  if (!failed(mode)) {
    if (empties) {
      int old = (int)sys_open(path, O_RDWR | O_CLOEXEC, 0);
      struct file *f = old < 0 ? NULL : file_of(old);
      if (f) remember(f, old, 0, st.st_size);
      if (old >= 0) sys_close(old);
    }
    fd = (int)sys_open(path, flags, how);
    if (fd >= 0 && is_new) {
      // A descriptor of another file may have had this number.
      struct file *f = file_of(fd);
      if (f) f->synced = 0;
      note(MADE, path, "", "");
    }
    if (fd >= 0 && mode == REORDERED) cut(NULL, path);
    if (fd >= 0 && mode == FAILED) sys_close(fd), errno = EIO, fd = -1;
  }
  int error = errno;
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define OPEN(name)                                  \
  int name(const char *path, int flags, ...) {      \
    mode_t how = 0;                                 \
    if (flags & (O_CREAT | O_TMPFILE)) {            \
      va_list rest;                                 \
      va_start(rest, flags);                        \
      how = va_arg(rest, mode_t);                   \
      va_end(rest);                                 \
    }                                               \
    return open_(path, flags, how);                 \
  }
OPEN(open)
OPEN(open64)

static void *watch(void *unused) {
  (void)unused;
  for (;;) {
    usleep(500);
    if (control->mode != CUT_NOW) continue;
    pthread_mutex_lock(&lock);
    control->fired = 1;
    cut(NULL, NULL);
  }
  return NULL;
}

__attribute__((constructor)) static void begin(void) {
  const char *folder = getenv("FAULT_DIR"), *path = getenv("FAULT_CONTROL"), *aside = getenv("FAULT_KEEP");
  pthread_t thread;
  if (!folder || !path || !aside) return;
  int fd = (int)sys_open(path, O_RDWR | O_CLOEXEC, 0);
  void *at = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) give_up(path);
  sys_close(fd);
  snprintf(dir, sizeof dir, "%s", folder);
  snprintf(keep, sizeof keep, "%s", aside);
  dir_length = strlen(dir);
  control = at;
  if (pthread_create(&thread, NULL, watch, NULL)) give_up("a thread");
}
