/*
 * A host for tests: it loads the plugin as Fluent Bit does, with one plugin structure for all instances and a context for
 * each, and does what it reads from its input, a command a line:
 *
 *   init ID          keys follow as key=value, one a line, up to an empty line
 *   flush ID FILE THREADS TIMES    the file as a chunk, from that many threads at the same time
 *   exit ID
 *   end
 *
 * It answers each with a line: the command, and what the plugin returned. Log lines of the plugin go to standard output, too,
 * as "log LEVEL TEXT".
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_KEYS 64
#define MAX_INSTANCES 32

struct context {
    void *remote_context;
};

struct instance {
    int used;
    int n;
    char *keys[MAX_KEYS];
    char *values[MAX_KEYS];
    int log_level;
    struct context context;
};

struct api {
    const char *(*output_get_property)(const char *, struct instance *);
    const char *(*input_get_property)(const char *, void *);
    void *(*output_get_cmt_instance)(void *);
    void *(*input_get_cmt_instance)(void *);
    void (*log_print)(int, const char *, int, const char *, ...);
    int (*input_log_check)(void *, int);
    int (*output_log_check)(struct instance *, int);
};

struct plugin {
    char *name;
    struct api *api;
    struct instance *o_ins;
    struct context *context;
};

struct def {
    int type;
    int proxy;
    int flags;
    char *name;
    char *description;
    int event_type;
    void *config_map;
};

static struct instance instances[MAX_INSTANCES];

static const char *get_property(const char *key, struct instance *ins) {
    for (int i = 0; i < ins->n; i++) {
        if (strcasecmp(ins->keys[i], key) == 0) {
            return ins->values[i];
        }
    }
    return NULL;
}

static void log_print(int level, const char *file, int line, const char *fmt, ...) {
    char text[16384];
    va_list args;
    (void) file;
    (void) line;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    for (char *c = text; *c; c++) {
        if (*c == '\n') {
            *c = ' ';
        }
    }
    printf("log %d %s\n", level, text);
}

static int log_check(struct instance *ins, int level) { return ins->log_level >= level; }

static struct api api = {get_property, NULL, NULL, NULL, log_print, NULL, log_check};

static int (*cb_flush)(void *, const void *, size_t, char *);

struct job {
    struct instance *ins;
    const char *data;
    size_t size;
    int times;
    int results[3]; /* how often each result came */
    int other;
};

static void *run(void *arg) {
    struct job *j = arg;
    for (int i = 0; i < j->times; i++) {
        /* The host frees the chunk after the flush: a plugin that holds on to it shows. */
        char *copy = malloc(j->size ? j->size : 1);
        memcpy(copy, j->data, j->size);
        char *tag = strdup("the.tag");
        int ret = cb_flush(j->ins->context.remote_context, copy, j->size, tag);
        memset(copy, 0xff, j->size);
        free(copy);
        free(tag);
        if (ret >= 0 && ret < 3) {
            j->results[ret]++;
        } else {
            j->other++;
        }
    }
    return NULL;
}

static char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) {
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    char *data = malloc(*size + 1);
    if (fread(data, 1, *size, f) != *size) {
        free(data);
        data = NULL;
    }
    fclose(f);
    return data;
}

static void fail(const char *what) {
    printf("host: %s\n", what);
    exit(2);
}

int main(int argc, char **argv) {
    char line[8192];
    struct def def = {0};
    struct plugin plugin = {0};
    if (argc != 2) {
        fail("want the plugin's path");
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    void *so = dlopen(argv[1], RTLD_LAZY);
    if (!so) {
        fail(dlerror());
    }
    int (*cb_register)(struct def *) = dlsym(so, "FLBPluginRegister");
    void (*cb_unregister)(struct def *) = dlsym(so, "FLBPluginUnregister");
    int (*cb_init)(struct plugin *) = dlsym(so, "FLBPluginInit");
    int (*cb_exit)(void *) = dlsym(so, "FLBPluginExitCtx");
    cb_flush = dlsym(so, "FLBPluginFlushCtx");
    if (!cb_register || !cb_unregister || !cb_init || !cb_exit || !cb_flush || !dlsym(so, "FLBPluginFlush") || !dlsym(so, "FLBPluginExit")) {
        fail("a symbol is missing");
    }
    int ret = cb_register(&def);
    printf("register %d %d %d %s\n", ret, def.type, def.proxy, def.name);
    plugin.name = def.name;
    plugin.api = &api;

    while (fgets(line, sizeof(line), stdin)) {
        char path[4096];
        int id = 0, threads = 0, times = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "init %d", &id) == 1 && id < MAX_INSTANCES) {
            struct instance *ins = &instances[id];
            memset(ins, 0, sizeof(*ins));
            ins->log_level = 3;
            while (fgets(line, sizeof(line), stdin) && line[0] != '\n' && ins->n < MAX_KEYS) {
                line[strcspn(line, "\n")] = 0;
                char *eq = strchr(line, '=');
                if (!eq) {
                    fail("a key without a value");
                }
                *eq = 0;
                if (strcasecmp(line, "log_level") == 0) {
                    ins->log_level = atoi(eq + 1);
                    continue;
                }
                ins->keys[ins->n] = strdup(line);
                ins->values[ins->n++] = strdup(eq + 1);
            }
            plugin.o_ins = ins;
            plugin.context = &ins->context;
            printf("init %d\n", cb_init(&plugin));
            plugin.o_ins = NULL; /* what is needed later was to be copied */
            plugin.context = NULL;
        } else if (sscanf(line, "flush %d %4095s %d %d", &id, path, &threads, &times) == 4 && id < MAX_INSTANCES && threads <= 64) {
            pthread_t t[64];
            struct job jobs[64] = {0};
            size_t size = 0;
            char *data = read_file(path, &size);
            if (!data) {
                fail("cannot read the chunk");
            }
            for (int i = 0; i < threads; i++) {
                jobs[i] = (struct job){&instances[id], data, size, times, {0}, 0};
                pthread_create(&t[i], NULL, run, &jobs[i]);
            }
            struct job sum = {0};
            for (int i = 0; i < threads; i++) {
                pthread_join(t[i], NULL);
                for (int r = 0; r < 3; r++) {
                    sum.results[r] += jobs[i].results[r];
                }
                sum.other += jobs[i].other;
            }
            free(data);
            printf("flush error=%d ok=%d retry=%d other=%d\n", sum.results[0], sum.results[1], sum.results[2], sum.other);
        } else if (sscanf(line, "exit %d", &id) == 1 && id < MAX_INSTANCES) {
            printf("exit %d\n", cb_exit(instances[id].context.remote_context));
        } else if (strcmp(line, "end") == 0) {
            break;
        } else {
            fail("unknown command");
        }
    }
    cb_unregister(&def);
    printf("end\n");
    return 0;
}
