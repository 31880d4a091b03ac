/* SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * A client for tests: client SOCKET COUNT PIPELINED REQUEST ANSWER [OTHER...]
 *
 * Sends the request COUNT times, with up to PIPELINED requests unanswered at a time, and compares each answer with ANSWER.
 * Each % in the request and in the answer is the number of the request. An answer is right if it contains the text ANSWER,
 * and expected if it contains a text OTHER. If the connection ends, its unanswered requests are not sent again; the next ones
 * go to a new connection. COUNT 0: until SIGTERM.
 *
 * Prints a line "right NUMBER" for each right answer if PIPELINED has the suffix "v", and then a line of totals. The status is
 * 1 after an answer that was neither right nor expected, which it prints, and where no answer comes for a minute. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ends;
static void end(int number) { (void)number; ends = 1; }

static _Noreturn void die(const char *what) {
    perror(what);
    exit(2);
}

/* The text with each % replaced. */
static void fill(char *into, size_t size, const char *text, long number) {
    size_t at = 0;
    for (; *text != 0 && at + 24 < size; text++) {
        if (*text == '%') at += (size_t)sprintf(into + at, "%ld", number);
        else into[at++] = *text;
    }
    if (*text != 0) { fprintf(stderr, "client: too long\n"); exit(2); }
    into[at] = 0;
}

/* Waits up to 20 s for somebody to listen. */
static int connected(const char *path, long *refused) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) exit(2);
    strcpy(address.sun_path, path);
    for (int tries = 0; tries < 4000; tries++) {
        int found = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (found < 0) die("socket");
        const struct timeval minute = {.tv_sec = 60};
        if (setsockopt(found, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute) < 0) die("setsockopt");
        if (connect(found, (struct sockaddr *)&address, sizeof address) == 0) return found;
        if (errno != ECONNREFUSED && errno != ENOENT && errno != EAGAIN) die(path);
        ++*refused;
        close(found);
        usleep(5000);
    }
    die(path);
}

int main(int count, char **words) {
    if (count < 6) { fprintf(stderr, "usage: client SOCKET COUNT PIPELINED REQUEST ANSWER [OTHER...]\n"); return 2; }
    const char *path = words[1], *request = words[4], *answer = words[5];
    char *suffix;
    const long most = atol(words[2]), pipelined = strtol(words[3], &suffix, 10);
    const int names = *suffix == 'v';
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = end}; /* without SA_RESTART: it interrupts a wait */
    sigaction(SIGTERM, &action, NULL);

    static char out[4096], expected[4096], in[1 << 20];
    size_t have = 0;
    long sent = 0, next = 0, right = 0, other = 0, unanswered = 0, connections = 0, refused = 0, broken = 0;
    int socket = -1;
    /* The requests from `next` up to `sent` are unanswered on the connection. */
    while (!ends && (most == 0 || next < most)) {
        if (socket < 0) {
            socket = connected(path, &refused);
            connections++;
            have = 0;
        }
        int lost = 0;
        while (sent - next < pipelined && (most == 0 || sent < most)) {
            fill(out, sizeof out, request, sent);
            size_t length = strlen(out) + 1, done = 0; /* with its NUL */
            while (done < length) {
                ssize_t wrote = send(socket, out + done, length - done, 0);
                if (wrote < 0 && errno == EINTR) continue;
                if (wrote < 0) { lost = 1; break; }
                done += (size_t)wrote;
            }
            if (lost && done == 0) break;
            sent++;
            if (lost) break;
        }
        ssize_t got = recv(socket, in + have, sizeof in - have - 1, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) { printf("request %ld of %ld: no answer for a minute\n", next, sent); return 1; }
        if (got > 0) have += (size_t)got;
        char *from = in, *stop;
        while ((stop = memchr(from, 0, have - (size_t)(from - in))) != NULL) {
            int found = 0;
            fill(expected, sizeof expected, answer, next);
            if (next < sent && strstr(from, expected) != NULL) {
                found = 1;
                right++;
                if (names) printf("right %ld\n", next);
            }
            for (int at = 6; !found && next < sent && at < count; at++)
                if (strstr(from, words[at]) != NULL) { found = 1; other++; }
            if (!found) {
                printf("request %ld of %ld: wrong answer: %s\n", next, sent, from);
                return 1;
            }
            next++;
            from = stop + 1;
        }
        have -= (size_t)(from - in);
        memmove(in, from, have);
        if (got <= 0) {
            broken += have > 0;
            unanswered += sent - next;
            next = sent;
            close(socket);
            socket = -1;
        }
    }
    printf("sent %ld right %ld other %ld unanswered %ld broken %ld connections %ld refused %ld\n", sent, right, other,
        unanswered + (sent - next), broken, connections, refused);
    return 0;
}
