#define _GNU_SOURCE
#include "home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire.h"

static struct stat socket_identity;

void sz_fail(const char *what)
{
    fprintf(stderr, "smart-zone-tee: %s: %s\n", what, strerror(errno));
    exit(69);
}

static void make_folder(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        sz_fail(path);
}

/* Without this a power cut may take names away again, and with them everything that was written there since.
 */
static void keep_names(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0 || fsync(folder) != 0)
        sz_fail(path);
    close(folder);
}

int sz_home_take(const char *directory)
{
    int lock;

    umask(077);
    make_folder(directory, 0700);
    if (chdir(directory) != 0)
        sz_fail(directory);
    lock = open("tee.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0)
        sz_fail("tee.lock");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0)
        exit(errno == EWOULDBLOCK ? 0 : 69);
    make_folder("storage", 0700);
    make_folder("empty", 0700); /* the TA's root folder: it changes to it while it still may */
    keep_names(".");
    if (access("..", R_OK) == 0)
        keep_names(".."); /* whoever made this folder may not have thought of it */
    return lock;
}

static int write_new_huk(void)
{
    uint8_t huk[SZ_HUK_SIZE];
    int fd = open("huk.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int good = fd >= 0 && getrandom(huk, sizeof huk, 0) == (ssize_t)sizeof huk &&
               write(fd, huk, sizeof huk) == (ssize_t)sizeof huk && fsync(fd) == 0;

    explicit_bzero(huk, sizeof huk);
    if (fd >= 0)
        close(fd);
    if (!good || rename("huk.new", "huk") != 0)
        return 0;
    keep_names("."); /* nothing may be sealed under a key that could be gone tomorrow */
    return 1;
}

void sz_home_huk(uint8_t huk[SZ_HUK_SIZE])
{
    int fd = open("huk", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT) {
        if (!write_new_huk())
            sz_fail("huk");
        fd = open("huk", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    if (fd < 0 || read(fd, huk, SZ_HUK_SIZE) != SZ_HUK_SIZE) {
        if (fd >= 0)
            errno = EINVAL;
        sz_fail("huk");
    }
    close(fd);
}

int sz_home_listen(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SZ_SOCKET_NAME};
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* The lock is ours, so a socket that is there belongs to nobody. */
    unlink(SZ_SOCKET_NAME);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(SZ_SOCKET_NAME, 0600) != 0 || listen(listener, 64) != 0 ||
        stat(SZ_SOCKET_NAME, &socket_identity) != 0)
        sz_fail(SZ_SOCKET_NAME);
    return listener;
}

int sz_home_still_ours(void)
{
    struct stat now;

    return stat(SZ_SOCKET_NAME, &now) == 0 && now.st_ino == socket_identity.st_ino &&
           now.st_dev == socket_identity.st_dev;
}
