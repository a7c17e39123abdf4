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

#include "volume.h"

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
    // The power is gone already, and nobody has noticed yet: whether this disk lies is no longer said.
    if (control->mode == CUT_NOW) {
      control->fired = 1;
      cut(NULL, NULL);
    }
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
