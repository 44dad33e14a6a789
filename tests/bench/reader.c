// reader PORT STREAMS: opens so many streams, reads what comes and looks at the clock. What no load can be cheaper than.

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char request[] = "GET /api/stream?last_id=0 HTTP/1.1\r\nHost: bench\r\n\r\n";
static char bytes[65536];

int main(int count, char **words) {
    if (count != 3) return 2;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int ready = epoll_create1(0);
    for (int left = atoi(words[2]); left > 0; left--) {
        struct epoll_event readable = {.events = EPOLLIN, .data.fd = socket(AF_INET, SOCK_STREAM, 0)};
        int stream = readable.data.fd;
        if (stream < 0 || connect(stream, (struct sockaddr *)&server, sizeof server)) return 1;
        if (send(stream, request, strlen(request), 0) < 0) return 1;
        if (epoll_ctl(ready, EPOLL_CTL_ADD, stream, &readable)) return 1;
    }
    puts("All users spawned");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        struct timespec read_at;
        for (int left = epoll_wait(ready, events, 64, -1); left-- > 0;) {
            if (recv(events[left].data.fd, bytes, sizeof bytes, 0) <= 0) return 1;
            clock_gettime(CLOCK_MONOTONIC, &read_at);
        }
    }
}
