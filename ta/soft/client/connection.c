#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define WAIT_MS 5000
#define STEP_MS 5

#define LOG_NAME "tee.log"
#define LOG_MAX (1 << 20)

int sz_connection_open(int folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int failed;

    /* By descriptor: paths of sockets are limited to 107 bytes, those of folders are not. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, SZ_SOCKET_NAME);
    if (fd < 0)
        return -1;
    do
        failed = connect(fd, (const struct sockaddr *)&address, sizeof address);
    while (failed && errno == EINTR);
    if (failed) {
        close(fd);
        return -1;
    }
    return fd;
}

static int answers(int folder)
{
    int fd = sz_connection_open(folder);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The supervisor outlives this process, is nobody's child and keeps nothing of it open (a pipe to this
 * process's standard error would keep its reader waiting): it logs to a file in its folder. Two started at
 * the same time are no harm: the second finds the folder locked and ends. */
static void spawn(const char *program, const char *directory, int folder)
{
    char *arguments[] = {(char *)(uintptr_t)program, "--dir", (char *)(uintptr_t)directory, NULL};
    pid_t child = fork();

    if (child == 0) {
        int nothing, log;

        setsid();
        if (fork() != 0)
            _exit(0);
        nothing = open("/dev/null", O_RDWR);
        log = openat(folder, LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
        if (log >= 0 && lseek(log, 0, SEEK_END) > LOG_MAX && ftruncate(log, 0) != 0)
            _exit(70);
        dup2(nothing, 0);
        dup2(nothing, 1);
        dup2(log >= 0 ? log : nothing, 2);
#ifdef SYS_close_range
        if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0)
#endif
            for (int fd = 3; fd < 1024; fd++)
                close(fd);
        execv(program, arguments);
        _exit(127);
    }
    if (child > 0)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
}

int sz_connection_folder(void)
{
    const char *directory = getenv("SMART_ZONE_TEE_DIR"), *program = getenv("SMART_ZONE_TEE_SPAWN");
    const struct timespec step = {0, STEP_MS * 1000000L};
    int folder;

    if (!directory || !*directory)
        return -1;
    if (program && *program)
        mkdir(directory, 0700);
    folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    if (answers(folder))
        return folder;
    if (program && *program) {
        spawn(program, directory, folder);
        for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
            if (answers(folder))
                return folder;
            nanosleep(&step, NULL);
        }
    }
    close(folder);
    return -1;
}
