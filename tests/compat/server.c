/* The recorded app: a web server of a few kilobytes without a C library, for an image that is the same everywhere.
 *
 * gcc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -Wl,--build-id=none \
 *     -Wl,-z,noseparate-code -s -o b16de7f/app/server server.c          (x86-64 Linux)
 *
 * It answers every request on port 8080 with 200 and a JSON object, and ends after SIGTERM.
 */

typedef unsigned long u64;

static long call(long number, long a, long b, long c, long d, long e)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

enum { READ = 0, WRITE = 1, CLOSE = 3, SIGACTION = 13, SOCKET = 41, ACCEPT = 43, BIND = 49, LISTEN = 50,
       SETSOCKOPT = 54, FORK = 57, EXIT = 60, EXIT_GROUP = 231 };

struct action { void (*handler)(int); u64 flags; void (*restorer)(void); u64 mask; };

static void leave(int signal) { (void)signal; call(EXIT_GROUP, 0, 0, 0, 0, 0); }

static const char HELLO[] = "serving one\n";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
                             "Connection: close\r\n\r\n{\"code\": \"one\"}";

/* Read the head and as much of a body as Content-Length says; leave one unread and the answer may be cut off. */
static void serve(long peer)
{
    static char text[65536];
    static const char LENGTH[] = "content-length:";
    long size = 0, head = 0, body = 0;
    while (size < (long)sizeof text) {
        long got = call(READ, peer, (long)(text + size), (long)sizeof text - size, 0, 0);
        if (got <= 0)
            return;
        size += got;
        for (long i = 3; !head && i < size; i++)
            if (text[i - 3] == '\r' && text[i - 2] == '\n' && text[i - 1] == '\r' && text[i] == '\n')
                head = i + 1;
        if (!head)
            continue;
        body = 0;
        for (long i = 0; i + 15 < head; i++) {
            long k = 0;
            while (k < 15 && (text[i + k] | 32) == (LENGTH[k] | 32))
                k++;
            if (k == 15)
                for (long j = i + 15; text[j] != '\r'; j++)
                    if (text[j] >= '0' && text[j] <= '9')
                        body = body * 10 + text[j] - '0';
        }
        if (size >= head + body)
            break;
    }
    call(WRITE, peer, (long)ANSWER, sizeof ANSWER - 1, 0, 0);
}

__asm__(".globl _start\n_start:\n    and $-16, %rsp\n    call main\n"
        ".globl restore\nrestore:\n    mov $15, %eax\n    syscall\n");
void restore(void);

int main(void)
{
    struct action on_term = {leave, 0x04000000, restore, 0};
    struct action ignored = {(void (*)(int))1, 0x04000000, restore, 0};
    struct { unsigned short family, port; unsigned address; char rest[8]; } address = {2, 0x901f, 0, {0}};
    int yes = 1;
    call(SIGACTION, 15, (long)&on_term, 0, 8, 0);
    call(SIGACTION, 17, (long)&ignored, 0, 8, 0);
    long listener = call(SOCKET, 2, 1, 0, 0, 0);
    call(SETSOCKOPT, listener, 1, 2, (long)&yes, sizeof yes);
    if (call(BIND, listener, (long)&address, sizeof address, 0, 0) < 0 || call(LISTEN, listener, 128, 0, 0, 0) < 0)
        call(EXIT_GROUP, 1, 0, 0, 0, 0);
    call(WRITE, 1, (long)HELLO, sizeof HELLO - 1, 0, 0);
    for (;;) {
        long peer = call(ACCEPT, listener, 0, 0, 0, 0);
        if (peer < 0)
            continue;
        if (call(FORK, 0, 0, 0, 0, 0) == 0) {
            call(CLOSE, listener, 0, 0, 0, 0);
            serve(peer);
            call(EXIT, 0, 0, 0, 0, 0);
        }
        call(CLOSE, peer, 0, 0, 0, 0);
    }
}
