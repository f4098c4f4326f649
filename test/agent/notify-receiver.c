/* A notification socket like the service manager's: prints each datagram as the sender's process identifier,
 * a tab, and the message with line breaks as '|'. Ends when its standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return 1;
    puts("listening");
    fflush(stdout);
    for (;;) {
        struct pollfd events[2] = {{.fd = fd, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (poll(events, 2, -1) < 0 || events[1].revents != 0)
            return 0;
        char text[4096];
        union {
            struct cmsghdr header;
            char bytes[256];
        } control;
        struct iovec part = {.iov_base = text, .iov_len = sizeof text - 1};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        const ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        if (length < 0)
            return 1;
        text[length] = '\0';
        for (char *at = text; *at != '\0'; at++)
            if (*at == '\n')
                *at = '|';
        long pid = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
                struct ucred credentials;
                memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
                pid = credentials.pid;
            }
            /* systemd-notify waits until the descriptor of its BARRIER=1 is closed. */
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                int descriptor;
                memcpy(&descriptor, CMSG_DATA(c), sizeof descriptor);
                close(descriptor);
            }
        }
        printf("%ld\t%s\n", pid, text);
        fflush(stdout);
    }
}
