#define _GNU_SOURCE
#include "sequencer/cli/password.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static enum err read_line(char out[PASSWORD_SIZE], int fd)
{
    size_t n = 0;
    char c;
    while (read(fd, &c, 1) == 1 && c != '\n' && c != '\r') {
        if (n == PASSWORD_SIZE - 1) {
            return ERR_TOO_LARGE;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return n > 0 ? OK : ERR_CONFIG;
}

static enum err from_file(char out[PASSWORD_SIZE], const char *path, char *why, size_t why_len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum err e = ERR_CONFIG;
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, why_len, "--password-file %s: cannot be read", path);
    } else if ((st.st_mode & 077) != 0) {
        snprintf(why, why_len, "--password-file %s: others may read it; `chmod 600 %s`", path,
                 path);
        e = ERR_REFUSED;
    } else if ((e = read_line(out, fd)) != OK) {
        snprintf(why, why_len, "--password-file %s: expected one line of 1 to %d characters", path,
                 PASSWORD_SIZE - 1);
    }
    if (fd >= 0) {
        close(fd);
    }
    return e;
}

static enum err ask(char out[PASSWORD_SIZE], int tty, const char *prompt)
{
    struct termios before;
    if (tcgetattr(tty, &before) != 0 || write(tty, prompt, strlen(prompt)) < 0) {
        return ERR_CONFIG;
    }
    struct termios silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(tty, TCSAFLUSH, &silent);
    enum err e = read_line(out, tty);
    tcsetattr(tty, TCSAFLUSH, &before);
    return write(tty, "\n", 1) == 1 ? e : ERR_IO;
}

static enum err from_terminal(char out[PASSWORD_SIZE], bool twice, int tty, char *why,
                              size_t why_len)
{
    char again[PASSWORD_SIZE];
    enum err e = ask(out, tty, "Password: ");
    if (e == OK && twice) {
        e = ask(again, tty, "Again: ");
        e = e == OK && strcmp(out, again) != 0 ? ERR_CONFIG : e;
    }
    if (e != OK) {
        snprintf(why, why_len, "no password, or two different ones");
    }
    return e;
}

enum err password_read(char out[PASSWORD_SIZE], const char *path, bool twice, char *why,
                       size_t why_len)
{
    if (path != NULL) {
        return from_file(out, path, why, why_len);
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        snprintf(why, why_len, "there is no terminal to ask for a password; give --password-file");
        return ERR_CONFIG;
    }
    enum err e = from_terminal(out, twice, tty, why, why_len);
    close(tty);
    return e;
}
