/* Records, in order, what programs change on a disk below one folder: for tests of power cuts. Loaded with
 * LD_PRELOAD into the agent and the software TEE's storage side; nothing is changed, only written down.
 *
 * SZ_JOURNAL: the file that records go to, appended with one write each. SZ_JOURNAL_ROOT: the folder.
 * A directory is synced like a file: what is synced are its entries then.
 * A record: "operation\tpath\tother\toffset\tlength\n" and `length` bytes; paths are relative to the root. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* The path below the root, "." for the root itself, or NULL. */
static const char *below(const char *path)
{
    const char *const root = getenv("SZ_JOURNAL_ROOT");
    const size_t length = root == NULL ? 0 : strlen(root);
    if (length == 0 || strncmp(path, root, length) != 0)
        return NULL;
    if (path[length] == 0)
        return ".";
    return path[length] == '/' ? path + length + 1 : NULL;
}

static int of_descriptor(int fd, char out[PATH_MAX])
{
    char link[64];
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, out, PATH_MAX - 1);
    if (length < 0)
        return 0;
    out[length] = 0;
    return 1;
}

static int absolute(int directory, const char *path, char out[PATH_MAX])
{
    char base[PATH_MAX];
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
        return 1;
    }
    if (directory == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !of_descriptor(directory, base))
        return 0;
    return snprintf(out, PATH_MAX, "%s/%s", base, path) < PATH_MAX;
}

static void record(const char *operation, const char *path, const char *other, long long offset,
                   const void *data, size_t length)
{
    const int saved = errno;
    const char *const journal = getenv("SZ_JOURNAL");
    char head[2 * PATH_MAX];
    const int size =
        snprintf(head, sizeof head, "%s\t%s\t%s\t%lld\t%zu\n", operation, path, other, offset, length);
    const int fd =
        journal == NULL ? -1 : REAL(open)(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) {
        const struct iovec parts[2] = {{head, (size_t)size}, {(void *)(unsigned long)data, length}};
        if (writev(fd, parts, 2) < 0)
            abort();
        REAL(close)(fd);
    }
    errno = saved;
}

static void record_on(int fd, const char *operation, long long offset, const void *data, size_t length)
{
    const int saved = errno;
    char path[PATH_MAX];
    const char *name;
    if (of_descriptor(fd, path) && (name = below(path)) != NULL)
        record(operation, name, "", offset, data, length);
    errno = saved;
}

static void record_at(int directory, const char *path, const char *operation)
{
    char full[PATH_MAX];
    const char *name;
    if (absolute(directory, path, full) && (name = below(full)) != NULL)
        record(operation, name, "", 0, NULL, 0);
}

static int open_recorded(int directory, const char *path, int flags, mode_t mode)
{
    struct stat before;
    const int existed = fstatat(directory, path, &before, 0) == 0;
    const int fd = REAL(openat)(directory, path, flags, mode);
    if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY &&
        ((flags & O_TRUNC) != 0 || (!existed && (flags & O_CREAT) != 0)))
        record_at(directory, path, "create");
    return fd;
}

#define OPEN(name, directory_parameter, directory)                                                           \
    int name(directory_parameter const char *path, int flags, ...)                                           \
    {                                                                                                        \
        va_list list;                                                                                        \
        mode_t mode;                                                                                         \
        va_start(list, flags);                                                                               \
        mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;                              \
        va_end(list);                                                                                        \
        return open_recorded(directory, path, flags, mode);                                                  \
    }
#define NO_DIRECTORY
#define WITH_DIRECTORY int directory,
OPEN(open, NO_DIRECTORY, AT_FDCWD)
OPEN(open64, NO_DIRECTORY, AT_FDCWD)
OPEN(openat, WITH_DIRECTORY, directory)
OPEN(openat64, WITH_DIRECTORY, directory)

ssize_t write(int fd, const void *data, size_t length)
{
    const long long at = lseek(fd, 0, SEEK_CUR);
    const ssize_t written = REAL(write)(fd, data, length);
    if (written > 0 && at >= 0)
        record_on(fd, "write", at, data, (size_t)written);
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    const ssize_t written = REAL(pwrite)(fd, data, length, offset);
    if (written > 0)
        record_on(fd, "write", offset, data, (size_t)written);
    return written;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    const ssize_t written = REAL(pwrite64)(fd, data, length, offset);
    if (written > 0)
        record_on(fd, "write", offset, data, (size_t)written);
    return written;
}

int fsync(int fd)
{
    const int result = REAL(fsync)(fd);
    if (result == 0)
        record_on(fd, "sync", 0, NULL, 0);
    return result;
}

int fdatasync(int fd)
{
    const int result = REAL(fdatasync)(fd);
    if (result == 0)
        record_on(fd, "sync", 0, NULL, 0);
    return result;
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    char source[PATH_MAX], target[PATH_MAX];
    const int result = REAL(renameat)(from_directory, from, to_directory, to);
    if (result == 0 && absolute(from_directory, from, source) && absolute(to_directory, to, target) &&
        below(source) != NULL && below(target) != NULL)
        record("rename", below(source), below(target), 0, NULL, 0);
    return result;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int directory, const char *path, int flags)
{
    const int result = REAL(unlinkat)(directory, path, flags);
    if (result == 0)
        record_at(directory, path, "remove");
    return result;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    const int result = REAL(mkdir)(path, mode);
    if (result == 0)
        record_at(AT_FDCWD, path, "mkdir");
    return result;
}
