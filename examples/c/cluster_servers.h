/* The servers of cluster.c: a cluster of Redis or Valkey on the loopback interface, in a temporary folder. It is for tests and demos: it stores
 * nothing on disk, and any program on this machine can use it.
 *
 *     servers_start(&servers, 3, 3)    starts three primaries and a replica of each; returns 0 if that failed
 *     servers_call(server, command)    sends a command; returns its reply, which is valid until the next call, or NULL
 *     servers_kill(server)             kill -9
 *     servers_restart(server)          starts it again without data; it becomes a replica of the server that took its slots over
 *     servers_end(&servers)            kills all, and removes the folder
 */
#ifndef CLUSTER_SERVERS_H
#define CLUSTER_SERVERS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { MOST_SERVERS = 12, SLOTS = 16384, PATIENCE_MS = 30000, NODE_TIMEOUT_MS = 1500 };

struct server {
    pid_t process; /* 0: it does not run */
    int port;
    char folder[272];
};

struct servers {
    char folder[256];
    int count, primaries;
    struct server each[MOST_SERVERS];
};

static void pause_ms(long ms)
{
    struct timespec span = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&span, NULL);
}

/* Called in a forked child. On Linux the child is killed when its parent ends, in whatever way; elsewhere it outlives a parent that was
 * killed. If the parent is gone already, the child ends at once. */
static void end_with_parent(pid_t parent)
{
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent)
        _exit(1);
}

static int connected_to(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { 2, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The text of a simple reply, an integer or a string; an error keeps its '-'. */
static const char *servers_call(struct server *server, const char *command)
{
    static char reply[65536];
    size_t len = 0;
    int fd = connected_to(server->port);
    const char *text = NULL;

    if (fd < 0)
        return NULL;
    if (write(fd, command, strlen(command)) == (ssize_t)strlen(command) && write(fd, "\r\n", 2) == 2) {
        while (text == NULL && len + 1 < sizeof reply) {
            ssize_t more = read(fd, reply + len, sizeof reply - len - 1);
            if (more <= 0)
                break;
            len += (size_t)more;
            reply[len] = '\0';
            char *end = strstr(reply, "\r\n");
            if (end == NULL)
                continue;
            if (reply[0] != '$')
                text = reply[0] == '-' ? reply : reply + 1;
            else if (len >= (size_t)(end - reply) + 4 + (size_t)atol(reply + 1))
                text = end + 2;
        }
    }
    close(fd);
    return text;
}

static int says(struct server *server, const char *command, const char *wanted)
{
    const char *reply = servers_call(server, command);
    return reply != NULL && strstr(reply, wanted) != NULL;
}

/* Waits until a server's reply contains a text; 0 if it never does. */
static int waits_for(struct server *server, const char *command, const char *wanted)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 20) {
        if (says(server, command, wanted))
            return 1;
        pause_ms(20);
    }
    fprintf(stderr, "the server at port %d never said %s to %s\n", server->port, wanted, command);
    return 0;
}

/* A port that is free now. The cluster's own connections use the port 10,000 above it, which must exist and is assumed to be free. */
static int free_port(void)
{
    for (;;) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int is_bound = bind(fd, (struct sockaddr *)&address, len) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0;
        int port = ntohs(address.sin_port);

        close(fd);
        if (is_bound && port < 55000)
            return port;
    }
}

static int servers_restart(struct server *server)
{
    static const char *const programs[] = { "redis-server", "valkey-server" };
    char port[16], timeout[16], log[288];
    pid_t parent = getpid();

    snprintf(port, sizeof port, "%d", server->port);
    snprintf(timeout, sizeof timeout, "%d", NODE_TIMEOUT_MS);
    snprintf(log, sizeof log, "%s/server.log", server->folder);
    server->process = fork();
    if (server->process < 0)
        return server->process = 0, 0;
    if (server->process == 0) {
        const char *chosen = getenv("KVL_REDIS_SERVER");
        int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        end_with_parent(parent);
        /* A process group of its own, so that Ctrl-C does not reach the server: the program ends it. */
        setpgid(0, 0);
        dup2(out, 1);
        dup2(out, 2);
        for (size_t i = 0; i < 2; i++)
            execlp(chosen == NULL ? programs[i] : chosen, programs[i], "--port", port, "--bind", "127.0.0.1", "--dir", server->folder, "--save", "",
                   "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--cluster-enabled", "yes", "--cluster-node-timeout", timeout,
                   "--cluster-require-full-coverage", "no", (char *)NULL);
        _exit(127);
    }
    for (int waited = 0; waited < PATIENCE_MS; waited += 20) {
        if (says(server, "PING", "PONG"))
            return 1;
        if (waitpid(server->process, NULL, WNOHANG) == server->process)
            return server->process = 0, 0;
        pause_ms(20);
    }
    return 0;
}

static void servers_kill(struct server *server)
{
    if (server->process > 0) {
        kill(server->process, SIGKILL);
        waitpid(server->process, NULL, 0);
        server->process = 0;
    }
}

static void servers_end(struct servers *servers)
{
    static const char *const files[] = { "server.log", "nodes.conf", "dump.rdb" };

    for (int i = 0; i < servers->count; i++) {
        servers_kill(&servers->each[i]);
        for (size_t file = 0; file < sizeof files / sizeof files[0]; file++) {
            char name[288];
            snprintf(name, sizeof name, "%s/%s", servers->each[i].folder, files[file]);
            unlink(name);
        }
        rmdir(servers->each[i].folder);
    }
    rmdir(servers->folder);
}

/* Tells the servers of each other and of their slots. */
static int servers_join(struct servers *servers)
{
    char command[128], known[48], id[48];
    struct server *each = servers->each;

    for (int i = 0; i < servers->primaries; i++) {
        snprintf(command, sizeof command, "CLUSTER ADDSLOTSRANGE %d %d", SLOTS * i / servers->primaries, SLOTS * (i + 1) / servers->primaries - 1);
        servers_call(&each[i], command);
        snprintf(command, sizeof command, "CLUSTER SET-CONFIG-EPOCH %d", i + 1);
        servers_call(&each[i], command);
    }
    for (int i = 1; i < servers->count; i++) {
        snprintf(command, sizeof command, "CLUSTER MEET 127.0.0.1 %d", each[i].port);
        servers_call(&each[0], command);
    }
    snprintf(known, sizeof known, "cluster_known_nodes:%d\r", servers->count);
    for (int i = 0; i < servers->count; i++)
        if (!waits_for(&each[i], "CLUSTER INFO", known) || !waits_for(&each[i], "CLUSTER INFO", "cluster_slots_assigned:16384"))
            return 0;
    for (int i = servers->primaries; i < servers->count; i++) {
        const char *primary = servers_call(&each[i - servers->primaries], "CLUSTER MYID");
        snprintf(id, sizeof id, "%.40s", primary == NULL ? "" : primary);
        snprintf(command, sizeof command, "CLUSTER REPLICATE %s", id);
        if (!waits_for(&each[i], command, "OK") || !waits_for(&each[i], "INFO replication", "master_link_status:up"))
            return 0;
    }
    for (int i = 0; i < servers->count; i++)
        if (!waits_for(&each[i], "CLUSTER INFO", "cluster_state:ok"))
            return 0;
    return 1;
}

static int servers_start(struct servers *servers, int primaries, int replicas)
{
    const char *temporary = getenv("TMPDIR");
    char folder[256];

    memset(servers, 0, sizeof *servers);
    snprintf(folder, sizeof folder, "%s/kvlight-cluster-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    if (mkdtemp(folder) == NULL)
        return fprintf(stderr, "no folder could be made in %s\n", temporary == NULL ? "/tmp" : temporary), 0;
    memcpy(servers->folder, folder, sizeof folder);
    servers->primaries = primaries;
    for (int i = 0; i < primaries + replicas; i++) {
        struct server *server = &servers->each[servers->count++];
        int is_running = 0;

        snprintf(server->folder, sizeof server->folder, "%s/%d", folder, i);
        mkdir(server->folder, 0700);
        /* Another program may take the port first. */
        for (int tries = 0; tries < 5 && !is_running; tries++) {
            server->port = free_port();
            is_running = servers_restart(server);
        }
        if (!is_running) {
            fprintf(stderr, "redis-server did not start: is it installed? KVL_REDIS_SERVER may name it.\n");
            return 0;
        }
    }
    return servers_join(servers);
}

#endif
