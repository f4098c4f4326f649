/* smart-zone-tee: starts the TA's process, passes clients on to it, keeps its storage. The counterpart of
 * OP-TEE's loader and tee-supplicant; like them it sees no secret once the TA runs, and a client that has a
 * session does not need it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "home.h"
#include "storage_server.h"
#include "ta_process.h"
#include "tee_api_defines.h"
#include "transfer.h"
#include "wire.h"

/* Connections that said nothing yet: a client that only looks whether somebody listens starts no TA. */
#define WAITING 32
#define LOOK_EVERY_MS 2000

static struct sz_ta_process ta = {.control = -1, .storage = -1};
static int waiting[WAITING];
static char program_path[4096];

/* Budgets can be set by option or environment; both go to the TA's process as options. */
static const struct {
    const char *option, *environment;
} budgets[] = {
    {"--heap-kib", "SMART_ZONE_TEE_HEAP_KIB"},       {"--stack-kib", "SMART_ZONE_TEE_STACK_KIB"},
    {"--secure-kib", "SMART_ZONE_TEE_SECURE_KIB"},   {"--core-heap-kib", "SMART_ZONE_TEE_CORE_HEAP_KIB"},
    {"--page-tables", "SMART_ZONE_TEE_PAGE_TABLES"}, {"--uid", "SMART_ZONE_TEE_UID"},
};
#define BUDGETS (sizeof budgets / sizeof budgets[0])

static const char usage[] =
    "usage: smart-zone-tee --dir FOLDER [--ta PROGRAM] [--heap-kib N] [--stack-kib N] [--secure-kib N]\n"
    "                      [--core-heap-kib N] [--page-tables N] [--uid N]\n"
    "Runs the software TEE in FOLDER (default: $SMART_ZONE_TEE_DIR).\n"
    "Budgets default to those of OP-TEE's port for the Raspberry Pi 3.\n"
    "It is for development: it protects nothing from anyone who can read this machine's memory or disk.\n";

static const char *beside_this_program(const char *name)
{
    char self[3840];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    if (length < 0)
        sz_fail("/proc/self/exe");
    self[length] = 0;
    slash = strrchr(self, '/');
    snprintf(program_path, sizeof program_path, "%.*s/%s", (int)(slash - self), self, name);
    return program_path;
}

/* The folder; fills in the TA's program and arguments. */
static const char *parse(int argc, char **argv)
{
    static char *arguments[2 * BUDGETS + 2];
    const char *values[BUDGETS] = {NULL}, *directory = getenv("SMART_ZONE_TEE_DIR");
    struct option options[BUDGETS + 3] = {{"dir", required_argument, NULL, 1},
                                          {"ta", required_argument, NULL, 2}};
    size_t n = 0;

    for (size_t i = 0; i < BUDGETS; i++) {
        options[i + 2] = (struct option){budgets[i].option + 2, required_argument, NULL, (int)i + 3};
        values[i] = getenv(budgets[i].environment);
    }
    ta.program = getenv("SMART_ZONE_TEE_TA");
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 1)
            directory = optarg;
        else if (option == 2)
            ta.program = optarg;
        else if (option >= 3 && option < 3 + (int)BUDGETS)
            values[option - 3] = optarg;
        else
            directory = NULL;
        if (option == '?')
            break;
    }
    if (!directory || !*directory || optind != argc) {
        fputs(usage, stderr);
        exit(64);
    }
    if (ta.program && !realpath(ta.program, program_path))
        sz_fail(ta.program);
    ta.program = ta.program ? program_path : beside_this_program("smart-zone-ta");
    arguments[n++] = program_path;
    for (size_t i = 0; i < BUDGETS; i++)
        if (values[i] && *values[i]) {
            arguments[n++] = (char *)(uintptr_t)budgets[i].option;
            arguments[n++] = (char *)(uintptr_t)values[i];
        }
    ta.arguments = arguments;
    return directory;
}

static int catch_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void reap(void)
{
    int status;

    if (ta.pid && waitpid(ta.pid, &status, WNOHANG) == ta.pid)
        sz_ta_ended(&ta, status);
}

static void accept_all(int listener)
{
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        size_t i = 0;

        if (connection < 0)
            return;
        while (i < WAITING && waiting[i] >= 0)
            i++;
        if (i == WAITING)
            close(connection);
        else
            waiting[i] = connection;
    }
}

/* A client asked for a session. Closes our descriptor of it. */
static void pass_on(int connection)
{
    struct sz_wire_reply reply = {.origin = TEE_ORIGIN_TEE};

    for (int attempt = 0; attempt < 2; attempt++) {
        reap();
        reply.result = sz_ta_start(&ta);
        if (reply.result != TEE_SUCCESS)
            break;
        if (sz_ta_hand_over(&ta, connection) == 0) {
            close(connection);
            return;
        }
        if (errno == EAGAIN) { /* at work, with too many others waiting */
            reply.result = TEE_ERROR_BUSY;
            break;
        }
        reply.result = TEE_ERROR_TARGET_DEAD;
        sz_ta_stop(&ta);
    }
    sz_refuse(connection, &reply, sizeof reply);
}

static void serve_waiting(size_t i)
{
    char byte;
    ssize_t n = recv(waiting[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        pass_on(waiting[i]);
    else
        close(waiting[i]);
    waiting[i] = -1;
}

/* 0 when it is time to end. */
static int serve_signals(int signals)
{
    struct signalfd_siginfo info;

    while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            return 0;
    reap();
    return 1;
}

static void serve(int listener, int signals)
{
    struct pollfd polls[WAITING + 3];

    for (size_t i = 0; i < WAITING; i++)
        waiting[i] = -1;
    for (;;) {
        int ready;

        for (size_t i = 0; i < WAITING; i++)
            polls[i] = (struct pollfd){.fd = waiting[i], .events = POLLIN};
        polls[WAITING] = (struct pollfd){.fd = listener, .events = POLLIN};
        polls[WAITING + 1] = (struct pollfd){.fd = signals, .events = POLLIN};
        polls[WAITING + 2] = (struct pollfd){.fd = ta.pid ? ta.storage : -1, .events = POLLIN};
        ready = poll(polls, WAITING + 3, LOOK_EVERY_MS);
        if (ready < 0 && errno != EINTR)
            sz_fail("poll");
        if (ready == 0 && !sz_home_still_ours())
            return;
        if (ready <= 0)
            continue;
        if (polls[WAITING + 2].revents && !sz_storage_serve(ta.storage)) {
            /* A TA that breaks off in the middle of a request is dead or dying. */
            sz_ta_stop(&ta);
            continue;
        }
        if (polls[WAITING + 1].revents && !serve_signals(signals))
            return;
        for (size_t i = 0; i < WAITING; i++)
            if (polls[i].revents)
                serve_waiting(i);
        if (polls[WAITING].revents)
            accept_all(listener);
    }
}

/* A descriptor of ours must not become what somebody writes messages to. */
static void occupy_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};
    uint8_t huk[SZ_HUK_SIZE];
    int listener, signals;

    occupy_standard_descriptors();
    sz_home_take(parse(argc, argv));
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    sz_home_huk(huk); /* made now, so that a first session does not fail on it */
    explicit_bzero(huk, sizeof huk);
    signals = catch_signals();
    listener = sz_home_listen();
    fprintf(stderr, "smart-zone-tee: software TEE ready; it is for development and protects nothing\n");
    serve(listener, signals);
    if (sz_home_still_ours())
        unlink(SZ_SOCKET_NAME);
    if (ta.pid)
        sz_ta_stop(&ta);
    return 0;
}
