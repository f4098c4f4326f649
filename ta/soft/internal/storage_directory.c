/* Storage in a directory, one file a sealed object. A file is replaced by writing a new one beside it, fsync,
 * rename and fsync of the directory: after a power cut the old or the new content is there, whole. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage_backend.h"

#define FILE_NAME_SIZE (2 * SZ_STORAGE_NAME_SIZE + 5) /* hexadecimal, ".new", zero */

static void file_name(const uint8_t name[SZ_STORAGE_NAME_SIZE], const char *suffix, char out[FILE_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < SZ_STORAGE_NAME_SIZE; i++) {
        out[2 * i] = digits[name[i] >> 4];
        out[2 * i + 1] = digits[name[i] & 15];
    }
    memcpy(out + 2 * SZ_STORAGE_NAME_SIZE, suffix, strlen(suffix) + 1);
}

static int open_directory(void *context)
{
    return open((const char *)context, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static TEE_Result read_all(int fd, uint8_t **blob, size_t *size)
{
    struct stat info;
    size_t done = 0;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    if (info.st_size < 0 || (uint64_t)info.st_size > SZ_STORAGE_MAX_SIZE)
        return TEE_ERROR_CORRUPT_OBJECT;
    *size = (size_t)info.st_size;
    *blob = malloc(*size ? *size : 1);
    if (!*blob)
        return TEE_ERROR_OUT_OF_MEMORY;
    while (done < *size) {
        ssize_t n = read(fd, *blob + done, *size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(*blob);
            return TEE_ERROR_STORAGE_NOT_AVAILABLE;
        }
        done += (size_t)n;
    }
    return TEE_SUCCESS;
}

static TEE_Result read_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], uint8_t **blob,
                            size_t *size)
{
    char file[FILE_NAME_SIZE];
    int directory = open_directory(context), fd;
    TEE_Result result;

    if (directory < 0)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    file_name(name, "", file);
    fd = openat(directory, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        result = errno == ENOENT ? TEE_ERROR_ITEM_NOT_FOUND : TEE_ERROR_STORAGE_NOT_AVAILABLE;
    else
        result = read_all(fd, blob, size);
    if (fd >= 0)
        close(fd);
    close(directory);
    return result;
}

static int write_all(int fd, const uint8_t *blob, size_t size)
{
    while (size) {
        ssize_t n = write(fd, blob, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0;
        blob += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

static TEE_Result write_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE], const uint8_t *blob,
                             size_t size)
{
    char file[FILE_NAME_SIZE], fresh[FILE_NAME_SIZE];
    int directory = open_directory(context), fd, good;
    TEE_Result result = TEE_SUCCESS;

    if (directory < 0)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    file_name(name, "", file);
    file_name(name, ".new", fresh);
    fd = openat(directory, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    good = fd >= 0 && write_all(fd, blob, size);
    if (fd >= 0 && close(fd) != 0)
        good = 0;
    if (!good || renameat(directory, fresh, directory, file) != 0 || fsync(directory) != 0) {
        result = errno == ENOSPC ? TEE_ERROR_STORAGE_NO_SPACE : TEE_ERROR_STORAGE_NOT_AVAILABLE;
        unlinkat(directory, fresh, 0);
    }
    close(directory);
    return result;
}

static TEE_Result remove_blob(void *context, const uint8_t name[SZ_STORAGE_NAME_SIZE])
{
    char file[FILE_NAME_SIZE];
    int directory = open_directory(context);
    TEE_Result result = TEE_SUCCESS;

    if (directory < 0)
        return TEE_ERROR_STORAGE_NOT_AVAILABLE;
    file_name(name, "", file);
    if (unlinkat(directory, file, 0) != 0)
        result = errno == ENOENT ? TEE_ERROR_ITEM_NOT_FOUND : TEE_ERROR_STORAGE_NOT_AVAILABLE;
    else if (fsync(directory) != 0)
        result = TEE_ERROR_STORAGE_NOT_AVAILABLE;
    close(directory);
    return result;
}

void sz_storage_in_directory(struct sz_storage_backend *backend, const char *path)
{
    *backend = (struct sz_storage_backend){(void *)(uintptr_t)path, read_blob, write_blob, remove_blob};
}
