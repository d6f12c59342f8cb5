// A disk and a clock that fail when they are told to, between the hub and the C library (LD_PRELOAD).
//
// LevelDB writes its files by stdio: a record is complete with fflush_unlocked, which this file calls a write, and durable
// with fdatasync, a sync. Both are counted on the log, the manifest and the tables below a folder named "level". Orders come
// through a file that both sides map, so they can change while the hub runs. What was synced is noted in a second file, so that
// after a kill the rest can be cut off, as a loss of power would.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum fault {
  none,
  sync_fails,
  no_space,
  short_write,
  slow_sync,
  dies_before_write,
  dies_in_write,
  dies_before_sync,
  dies_after_sync,
};

// Eight 64-bit words; shim.ts reads and writes the same.
struct orders {
  volatile int64_t fault;
  volatile int64_t countdown;
  volatile int64_t injected;
  volatile int64_t writes;
  volatile int64_t syncs;
  volatile int64_t clock_offset_seconds;
  volatile int64_t share_in_256;
  volatile int64_t clock_reads;
};

enum { most_files = 4096, slow_sync_seconds = 2 };

static struct orders *orders;
static int journal = -1;
static char *tracked[most_files];

static FILE *(*real_fopen)(const char *, const char *);
static int (*real_fclose)(FILE *);
static int (*real_fflush)(FILE *);
static int (*real_fdatasync)(int);
static int (*real_gettimeofday)(struct timeval *, void *);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void start(void) {
  real_fopen = dlsym(RTLD_NEXT, "fopen64");
  real_fclose = dlsym(RTLD_NEXT, "fclose");
  real_fflush = dlsym(RTLD_NEXT, "fflush_unlocked");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  const char *path = getenv("JANDON_SHIM_ORDERS");
  const char *synced = getenv("JANDON_SHIM_SYNCED");
  if (!path || !synced) return;
  int file = open(path, O_RDWR);
  if (file < 0) abort();
  void *mapped = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) abort();
  close(file);
  journal = open(synced, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (journal < 0) abort();
  orders = mapped;
}

static int is_ours(const char *path) {
  const char *folder = strstr(path, "/level/");
  if (!folder) return 0;
  const char *name = strrchr(path, '/') + 1;
  return strstr(name, ".log") || strstr(name, ".ldb") || !strncmp(name, "MANIFEST", 8);
}

static void note(const char *path, int64_t length) {
  char line[4200];
  int size = snprintf(line, sizeof line, "%lld %s\n", (long long)length, path);
  if (write(journal, line, size) != size) abort();
}

static const char *path_of(int file) {
  return orders && file >= 0 && file < most_files ? tracked[file] : NULL;
}

// LevelDB moves tables about in the background while the log goes on; only a sync of the log is waited for by who writes.
static int is_log(const char *path) { return strstr(path, ".log") != NULL; }

static void die(void) {
  raise(SIGKILL);
  for (;;) pause();
}

// Whether a fault of this kind strikes now. The countdown is of writes for faults of writes, of syncs for those of syncs.
static int strikes(enum fault fault) {
  if (!orders || orders->fault != fault) return 0;
  if (__sync_sub_and_fetch(&orders->countdown, 1) > 0) return 0;
  __sync_add_and_fetch(&orders->injected, 1);
  return 1;
}

// Writes a share of what waits in the buffer, and forgets the rest.
static void write_some(FILE *stream) {
  size_t waiting = stream->_IO_write_ptr - stream->_IO_write_base;
  size_t some = waiting * (size_t)orders->share_in_256 / 256;
  if (some > 0 && write(fileno(stream), stream->_IO_write_base, some) < 0) abort();
  stream->_IO_write_ptr = stream->_IO_write_base;
}

FILE *fopen64(const char *path, const char *mode) {
  FILE *stream = real_fopen(path, mode);
  if (!stream || !orders || mode[0] == 'r' || !is_ours(path)) return stream;
  int file = fileno(stream);
  if (file < most_files) {
    tracked[file] = strdup(path);
    note(path, 0);
  }
  return stream;
}

FILE *fopen(const char *path, const char *mode) { return fopen64(path, mode); }

int fclose(FILE *stream) {
  int file = fileno(stream);
  if (path_of(file)) {
    free(tracked[file]);
    tracked[file] = NULL;
  }
  return real_fclose(stream);
}

int fflush_unlocked(FILE *stream) {
  if (!stream || !path_of(fileno(stream))) return real_fflush(stream);
  if (stream->_IO_write_ptr == stream->_IO_write_base) return real_fflush(stream);
  __sync_add_and_fetch(&orders->writes, 1);
  if (strikes(dies_before_write)) die();
  if (strikes(dies_in_write)) {
    write_some(stream);
    die();
  }
  if (strikes(no_space)) {
    errno = ENOSPC;
    return EOF;
  }
  if (strikes(short_write)) {
    write_some(stream);
    errno = ENOSPC;
    return EOF;
  }
  return real_fflush(stream);
}

int fdatasync(int file) {
  const char *path = path_of(file);
  if (!path) return real_fdatasync(file);
  if (strikes(dies_before_sync)) die();
  if (is_log(path) && strikes(sync_fails)) {
    errno = EIO;
    return -1;
  }
  if (is_log(path) && strikes(slow_sync)) sleep(slow_sync_seconds);
  int result = real_fdatasync(file);
  struct stat found;
  if (result == 0 && fstat(file, &found) == 0) {
    note(path, found.st_size);
    __sync_add_and_fetch(&orders->syncs, 1);
  }
  if (strikes(dies_after_sync)) die();
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int result = real_gettimeofday(now, zone);
  if (orders && result == 0) {
    now->tv_sec += orders->clock_offset_seconds;
    __sync_add_and_fetch(&orders->clock_reads, 1);
  }
  return result;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = real_clock_gettime(clock, now);
  if (orders && result == 0 && clock == CLOCK_REALTIME) {
    now->tv_sec += orders->clock_offset_seconds;
    __sync_add_and_fetch(&orders->clock_reads, 1);
  }
  return result;
}
