/* Datagrams to the socket of systemd's service manager, see sd_notify(3): Node has no unix datagram sockets.
 */
#include <node_api.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_MESSAGE = 4096 };

/* Returns 0 or an errno value. A path that starts with '@' is an abstract socket. */
static int send_datagram(const char *path, size_t path_length, const char *message, size_t length)
{
    struct sockaddr_un address;
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    if (path_length == 0 || path_length >= sizeof address.sun_path)
        return ENAMETOOLONG;
    memcpy(address.sun_path, path, path_length);
    /* The length of an abstract address counts its name only; that of a path its terminator too (unix(7)). */
    const int abstract = address.sun_path[0] == '@';
    if (abstract)
        address.sun_path[0] = '\0';
    const socklen_t size =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length + (abstract ? 0u : 1u));
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* Never wait: a service manager that does not read must not stop the event loop. */
    const ssize_t sent =
        sendto(fd, message, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address, size);
    const int result = sent == (ssize_t)length ? 0 : errno;
    close(fd);
    return result;
}

/* send(path: string, message: string): undefined. Throws when the datagram could not be sent. */
static napi_value notify_send(napi_env env, napi_callback_info info)
{
    size_t argc = 2;
    napi_value argv[2];
    char path[sizeof((struct sockaddr_un *)0)->sun_path + 1];
    char message[MAX_MESSAGE + 1];
    size_t path_length = 0;
    size_t length = 0;
    if (napi_get_cb_info(env, info, &argc, argv, NULL, NULL) != napi_ok || argc != 2 ||
        napi_get_value_string_utf8(env, argv[0], path, sizeof path, &path_length) != napi_ok ||
        napi_get_value_string_utf8(env, argv[1], message, sizeof message, &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "send(path, message) takes two strings");
        return NULL;
    }
    const int error = send_datagram(path, path_length, message, length);
    if (error != 0)
        napi_throw_error(env, NULL, strerror(error));
    return NULL;
}

NAPI_MODULE_INIT()
{
    napi_value function;
    if (napi_create_function(env, "send", NAPI_AUTO_LENGTH, notify_send, NULL, &function) == napi_ok)
        napi_set_named_property(env, exports, "send", function);
    return exports;
}
