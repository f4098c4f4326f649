#define _GNU_SOURCE
#include "ta_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "home.h"
#include "tee_api_defines.h"
#include "transfer.h"
#include "wire.h"

#define START_TIMEOUT_MS 10000

/* In the new process, until the TA's program replaces it. */
static _Noreturn void become_ta(const struct sz_ta_process *ta, int control, int storage, int huk)
{
    /* Above the places they go to, so that none is overwritten. */
    int ours[3] = {fcntl(control, F_DUPFD, 16), fcntl(storage, F_DUPFD, 16), fcntl(huk, F_DUPFD, 16)};
    const int theirs[3] = {SZ_FD_CONTROL, SZ_FD_STORAGE, SZ_FD_HUK};
    char *environment[2] = {NULL, NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < 3; i++)
        if (ours[i] < 0 || dup2(ours[i], theirs[i]) < 0)
            _exit(70);
    for (int fd = 6; fd < 1024; fd++)
        close(fd);
#ifdef __SANITIZE_ADDRESS__
    environment[0] = "ASAN_OPTIONS=detect_leaks=0";
#endif
    execve(ta->program, ta->arguments, environment);
    _exit(127);
}

/* 0, or why the TA cannot be loaded. */
static uint32_t wait_until_ready(int control)
{
    struct pollfd wait = {.fd = control, .events = POLLIN};
    struct sz_wire_ready ready;

    if (poll(&wait, 1, START_TIMEOUT_MS) != 1 || sz_receive_packet(control, &ready, sizeof ready, NULL) != 1)
        return TEE_ERROR_TARGET_DEAD;
    return ready.result;
}

uint32_t sz_ta_start(struct sz_ta_process *ta)
{
    int control[2], storage[2], huk[2];
    uint8_t key[SZ_HUK_SIZE];
    uint32_t result;

    if (ta->pid)
        return TEE_SUCCESS;
    if (access(ta->program, X_OK) != 0) {
        fprintf(stderr, "smart-zone-tee: no TA at %s\n", ta->program);
        return TEE_ERROR_ITEM_NOT_FOUND;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, storage) != 0 || pipe2(huk, O_CLOEXEC) != 0)
        sz_fail("cannot start the TA");
    ta->pid = fork();
    if (ta->pid == 0)
        become_ta(ta, control[1], storage[1], huk[0]);
    close(control[1]);
    close(storage[1]);
    close(huk[0]);
    ta->control = control[0];
    ta->storage = storage[0];
    sz_home_huk(key);
    result = write(huk[1], key, sizeof key) == (ssize_t)sizeof key ? TEE_SUCCESS : TEE_ERROR_TARGET_DEAD;
    explicit_bzero(key, sizeof key);
    close(huk[1]);
    if (ta->pid < 0) {
        ta->pid = 0;
        result = TEE_ERROR_OUT_OF_MEMORY;
    } else {
        result = wait_until_ready(ta->control);
    }
    if (result != TEE_SUCCESS)
        sz_ta_stop(ta);
    return result;
}

int sz_ta_hand_over(struct sz_ta_process *ta, int connection)
{
    const char mark = 1;

    return sz_send_packet(ta->control, &mark, sizeof mark, connection);
}

void sz_ta_ended(struct sz_ta_process *ta, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "smart-zone-tee: the TA was ended by signal %d\n", WTERMSIG(status));
    else
        fprintf(stderr, "smart-zone-tee: the TA ended with status %d\n", WEXITSTATUS(status));
    close(ta->control);
    close(ta->storage);
    ta->pid = 0;
    ta->control = ta->storage = -1;
}

void sz_ta_stop(struct sz_ta_process *ta)
{
    const struct timespec pause = {0, 5000000};
    int status = 0;

    if (!ta->pid) {
        close(ta->control);
        close(ta->storage);
        return;
    }
    shutdown(ta->control, SHUT_RDWR);
    for (int i = 0; i < 100; i++) {
        if (waitpid(ta->pid, &status, WNOHANG) == ta->pid) {
            sz_ta_ended(ta, status);
            return;
        }
        nanosleep(&pause, NULL);
    }
    kill(ta->pid, SIGKILL);
    waitpid(ta->pid, &status, 0);
    sz_ta_ended(ta, status);
}
