/* The system calls that the TA's process needs after its start, as a classic BPF program: talking over
 * descriptors it already has, memory that is not executable, clocks, random numbers. Calls that only an
 * intruder makes (network, new programs, other processes) end the process; everything else is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "sandbox.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "the system-call filter knows x86-64 and aarch64"
#endif

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif

static const int allowed[] = {
    SYS_read,         SYS_write,          SYS_readv,           SYS_writev,
    SYS_recvmsg,      SYS_sendmsg,        SYS_recvfrom,        SYS_sendto,
    SYS_ppoll,        SYS_close,          SYS_munmap,          SYS_mremap,
    SYS_brk,          SYS_madvise,        SYS_futex,           SYS_fcntl,
    SYS_fstat,        SYS_lseek,          SYS_clock_gettime,   SYS_gettimeofday,
    SYS_getrandom,    SYS_getpid,         SYS_gettid,          SYS_tgkill,
    SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction,    SYS_sigaltstack,
    SYS_exit,         SYS_exit_group,     SYS_sched_yield,     SYS_mlock,
    SYS_munlock,      SYS_nanosleep,      SYS_restart_syscall, SYS_clock_nanosleep,
    SYS_memfd_create, SYS_pread64,
#ifdef SYS_poll
    SYS_poll,
#endif
};

static const int deadly[] = {
    SYS_socket,  SYS_socketpair, SYS_connect,  SYS_bind,       SYS_listen,           SYS_accept,
    SYS_accept4, SYS_execve,     SYS_execveat, SYS_ptrace,     SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_clone,   SYS_mount,      SYS_bpf,      SYS_kexec_load, SYS_init_module,
#ifdef SYS_fork
    SYS_fork,
#endif
#ifdef SYS_vfork
    SYS_vfork,
#endif
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define LOAD(field) (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (field))
#define RETURN(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, (action))
#define SKIP_UNLESS(number) (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(number), 0, 1)

int sz_seccomp_install(void)
{
    static struct sock_filter program[2 * (COUNT(allowed) + COUNT(deadly)) + 24];
    struct sock_fprog filter;
    size_t n = 0;

    program[n++] = LOAD(offsetof(struct seccomp_data, arch));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    program[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    program[n++] = LOAD(offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    /* The x32 numbers would be a second way to every call. */
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1);
    program[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
#endif
    for (size_t i = 0; i < COUNT(allowed); i++) {
        program[n++] = SKIP_UNLESS(allowed[i]);
        program[n++] = RETURN(SECCOMP_RET_ALLOW);
    }
    for (size_t i = 0; i < COUNT(deadly); i++) {
        program[n++] = SKIP_UNLESS(deadly[i]);
        program[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    }
    /* mmap and mprotect: memory that is not executable. The protection is the third argument, its low half
     * first. */
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4);
    program[n++] = LOAD(offsetof(struct seccomp_data, args) + 2 * sizeof(uint64_t));
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
    program[n++] = RETURN(SECCOMP_RET_KILL_PROCESS);
    program[n++] = RETURN(SECCOMP_RET_ALLOW);
    program[n++] = RETURN(SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA));

    filter.len = (unsigned short)n;
    filter.filter = program;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
