#define _GNU_SOURCE
#include "sandbox.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void sz_sandbox_note(struct sz_sandbox *sandbox, const char *name, int applied)
{
    size_t length = strlen(sandbox->applied);

    snprintf(sandbox->applied + length, sizeof sandbox->applied - length, "%s%s%s", length ? " " : "",
             applied ? "" : "-", name);
}

static void limit(__rlimit_resource_t resource, rlim_t value)
{
    const struct rlimit both = {value, value};

    setrlimit(resource, &both);
}

static int become(uid_t uid)
{
    return setgroups(0, NULL) == 0 && setresgid((gid_t)uid, (gid_t)uid, (gid_t)uid) == 0 &&
           setresuid(uid, uid, uid) == 0;
}

void sz_sandbox_enter(struct sz_sandbox *sandbox, uid_t uid)
{
    int root = geteuid() == 0;

    sandbox->applied[0] = 0;
    /* Without root a user namespace gives the rights to make the others. */
    if (!root)
        sz_sandbox_note(sandbox, "user-ns", unshare(CLONE_NEWUSER) == 0);
    sz_sandbox_note(sandbox, "net-ns", unshare(CLONE_NEWNET) == 0);
    sz_sandbox_note(sandbox, "ipc-ns", unshare(CLONE_NEWIPC) == 0);
    sz_sandbox_note(sandbox, "mount-ns", unshare(CLONE_NEWNS) == 0);
    /* The supervisor made an empty folder for this and started us beside it. */
    sz_sandbox_note(sandbox, "chroot", chroot("empty") == 0 && chdir("/") == 0);
    sz_sandbox_note(sandbox, "uid", root ? become(uid) : 0);
    sz_sandbox_note(sandbox, "no-new-privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    sz_sandbox_note(sandbox, "no-dump", prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NPROC, 0);
    limit(RLIMIT_NOFILE, 512);
    /* After the change of user, which clears it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

void sz_sandbox_lock_memory(struct sz_sandbox *sandbox, void *memory, size_t size)
{
    /* On fault: a heap of megabytes need not be in memory before it is used. */
    int locked = syscall(SYS_mlock2, memory, size, 1 /* MLOCK_ONFAULT */) == 0 || mlock(memory, size) == 0;

    sz_sandbox_note(sandbox, "mlock", locked);
}

void sz_sandbox_restrict_calls(struct sz_sandbox *sandbox)
{
    sz_sandbox_note(sandbox, "seccomp", sz_seccomp_install() == 0);
}
