/*
 * A wire between two network namespaces that behaves as badly as it is told to.
 *
 *   wire NETNS_A INTERFACE_A NETNS_B INTERFACE_B
 *
 * Makes a TAP interface in either namespace and carries Ethernet frames between them. Says "ready", then obeys lines on
 * standard input, each answered by one line; it ends with its input.
 *
 *   ab KEY=VALUE ...   changes the way from A to B; "ba" the other way, "both" both     -> ok | error WHAT
 *   stat               -> the counters of both ways as one JSON object
 *
 * Keys: delay_us, jitter_us (added to the delay, order kept), loss, duplicate, reorder, corrupt (parts of 1),
 * reorder_us (how long a frame that loses its place is held back), rate (bits a second, 0 for any), queue (frames),
 * mtu (bytes of a network-layer packet, 0 for any), cut (1: nothing passes), seed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { ETHERNET_HEADER = 14, MAX_FRAME = 65600, MAX_QUEUE = 100000, FRAMES_A_TURN = 64, MAX_LINE = 1024 };

struct frame {
  int64_t due_ns;
  uint64_t number;
  int length;
  unsigned char *bytes;
};

struct way {
  double delay_us, jitter_us, loss, duplicate, reorder, reorder_us, corrupt, rate, queue, mtu, cut;
  uint64_t random_state;
  int64_t line_free_ns, last_due_ns;
  uint64_t arrived, delivered, lost, overflowed, too_long, cut_off, duplicated, reordered, corrupted;
  /* A heap, the frame that is due first on top. */
  struct frame *waiting;
  int count, room;
  uint64_t next_number;
};

static struct way ways[2];
static int taps[2];

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* xorshift64*, in [0, 1). */
static double fraction(struct way *way) {
  uint64_t x = way->random_state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  way->random_state = x;
  return (double)((x * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

static int happens(struct way *way, double part) { return part > 0 && fraction(way) < part; }

static int sooner(const struct frame *a, const struct frame *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void enqueue(struct way *way, int64_t due_ns, const unsigned char *bytes, int length) {
  if (way->count == way->room) {
    way->room = way->room ? way->room * 2 : 64;
    way->waiting = realloc(way->waiting, (size_t)way->room * sizeof *way->waiting);
    if (!way->waiting) abort();
  }
  struct frame frame = {due_ns, way->next_number++, length, malloc((size_t)length)};
  if (!frame.bytes) abort();
  memcpy(frame.bytes, bytes, (size_t)length);
  int at = way->count++;
  for (; at > 0 && sooner(&frame, &way->waiting[(at - 1) / 2]); at = (at - 1) / 2)
    way->waiting[at] = way->waiting[(at - 1) / 2];
  way->waiting[at] = frame;
}

static struct frame dequeue(struct way *way) {
  struct frame first = way->waiting[0], last = way->waiting[--way->count];
  int at = 0;
  for (int child; (child = 2 * at + 1) < way->count; at = child) {
    if (child + 1 < way->count && sooner(&way->waiting[child + 1], &way->waiting[child])) child++;
    if (!sooner(&way->waiting[child], &last)) break;
    way->waiting[at] = way->waiting[child];
  }
  if (way->count > 0) way->waiting[at] = last;
  return first;
}

static void arrive(struct way *way, unsigned char *bytes, int length) {
  way->arrived++;
  if (way->cut > 0) {
    way->cut_off++;
    return;
  }
  if (way->mtu > 0 && length - ETHERNET_HEADER > way->mtu) {
    way->too_long++;
    return;
  }
  if (happens(way, way->loss)) {
    way->lost++;
    return;
  }
  int copies = 1;
  if (happens(way, way->duplicate)) {
    way->duplicated++;
    copies = 2;
  }
  for (; copies > 0; copies--) {
    if (way->count >= way->queue) {
      way->overflowed++;
      continue;
    }
    int64_t due = now_ns();
    if (way->rate > 0) {
      if (way->line_free_ns > due) due = way->line_free_ns;
      due += (int64_t)(length * 8 * 1e9 / way->rate);
      way->line_free_ns = due;
    }
    due += (int64_t)((way->delay_us + fraction(way) * way->jitter_us) * 1000);
    if (happens(way, way->reorder)) {
      way->reordered++;
      due += (int64_t)(way->reorder_us * 1000);
    } else {
      if (due < way->last_due_ns) due = way->last_due_ns;
      way->last_due_ns = due;
    }
    if (length > ETHERNET_HEADER + 20 && happens(way, way->corrupt)) {
      way->corrupted++;
      int at = ETHERNET_HEADER + 20 + (int)(fraction(way) * (length - ETHERNET_HEADER - 20));
      bytes[at] ^= (unsigned char)(1 << (int)(fraction(way) * 8));
    }
    enqueue(way, due, bytes, length);
  }
}

static void deliver(int side) {
  struct way *way = &ways[side];
  for (int64_t now = now_ns(); way->count > 0 && way->waiting[0].due_ns <= now;) {
    struct frame frame = dequeue(way);
    if (write(taps[1 - side], frame.bytes, (size_t)frame.length) == frame.length) way->delivered++;
    free(frame.bytes);
  }
}

static double *setting(struct way *way, const char *key) {
  struct {
    const char *key;
    double *value;
  } settings[] = {
      {"delay_us", &way->delay_us}, {"jitter_us", &way->jitter_us},   {"loss", &way->loss},
      {"rate", &way->rate},         {"duplicate", &way->duplicate},   {"reorder", &way->reorder},
      {"mtu", &way->mtu},           {"reorder_us", &way->reorder_us}, {"corrupt", &way->corrupt},
      {"cut", &way->cut},           {"queue", &way->queue},
  };
  for (size_t at = 0; at < sizeof settings / sizeof *settings; at++)
    if (!strcmp(settings[at].key, key)) return settings[at].value;
  return NULL;
}

static void print_counters(void) {
  for (int side = 0; side < 2; side++) {
    struct way *way = &ways[side];
    printf("%s\"%s\":{\"arrived\":%lu,\"delivered\":%lu,\"lost\":%lu,\"overflowed\":%lu,\"tooLong\":%lu,\"cutOff\":%lu,"
           "\"duplicated\":%lu,\"reordered\":%lu,\"corrupted\":%lu,\"queued\":%d}",
           side ? "," : "{", side ? "ba" : "ab", way->arrived, way->delivered, way->lost, way->overflowed, way->too_long,
           way->cut_off, way->duplicated, way->reordered, way->corrupted, way->count);
  }
  printf("}\n");
}

static void obey(char *line) {
  char *rest = NULL, *word = strtok_r(line, " ", &rest);
  if (!word) return;
  if (!strcmp(word, "stat")) {
    print_counters();
    return;
  }
  int from = !strcmp(word, "ba"), to = !strcmp(word, "ab") ? 0 : 1;
  if (strcmp(word, "ab") && strcmp(word, "ba") && strcmp(word, "both")) {
    printf("error unknown command %s\n", word);
    return;
  }
  while ((word = strtok_r(NULL, " ", &rest))) {
    char *equals = strchr(word, '='), *end = NULL;
    double value = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || end == equals + 1 || *end || !(value >= 0)) {
      printf("error expected KEY=NUMBER, not %s\n", word);
      return;
    }
    *equals = 0;
    for (int side = from; side <= to; side++) {
      double *target = setting(&ways[side], word);
      if (target) *target = value;
      else if (!strcmp(word, "seed")) ways[side].random_state = ((uint64_t)value * 2 + (uint64_t)side + 1) * 0x9E3779B97F4A7C15ULL;
      else {
        printf("error unknown key %s\n", word);
        return;
      }
      if (ways[side].queue > MAX_QUEUE) ways[side].queue = MAX_QUEUE;
    }
  }
  printf("ok\n");
}

/* The interface belongs to the namespace in which it is made, wherever its descriptor is used. */
static int make_tap(const char *netns, const char *name) {
  char path[256];
  snprintf(path, sizeof path, "/run/netns/%s", netns);
  int space = open(path, O_RDONLY | O_CLOEXEC);
  if (space < 0 || setns(space, CLONE_NEWNET) < 0) {
    perror(path);
    exit(1);
  }
  close(space);
  int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (tap < 0 || ioctl(tap, TUNSETIFF, &request) < 0) {
    perror(name);
    exit(1);
  }
  return tap;
}

int main(int count, char **arguments) {
  static unsigned char bytes[MAX_FRAME];
  char line[MAX_LINE];
  size_t line_length = 0;
  if (count != 5) {
    fprintf(stderr, "usage: wire NETNS_A INTERFACE_A NETNS_B INTERFACE_B\n");
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int side = 0; side < 2; side++) {
    ways[side].queue = 1000;
    ways[side].reorder_us = 5000;
    ways[side].random_state = ((uint64_t)side + 1) * 0x9E3779B97F4A7C15ULL;
    taps[side] = make_tap(arguments[1 + 2 * side], arguments[2 + 2 * side]);
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) return 1;
  printf("ready\n");
  for (;;) {
    int64_t due = INT64_MAX;
    for (int side = 0; side < 2; side++)
      if (ways[side].count > 0 && ways[side].waiting[0].due_ns < due) due = ways[side].waiting[0].due_ns;
    struct itimerspec alarm = {0};
    if (due != INT64_MAX) {
      alarm.it_value.tv_sec = due / 1000000000LL;
      alarm.it_value.tv_nsec = due % 1000000000LL;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
    struct pollfd sources[4] = {{taps[0], POLLIN, 0}, {taps[1], POLLIN, 0}, {timer, POLLIN, 0}, {0, POLLIN, 0}};
    if (poll(sources, 4, -1) < 0) {
      if (errno == EINTR) continue;
      return 1;
    }
    if (sources[2].revents) {
      uint64_t expirations;
      if (read(timer, &expirations, sizeof expirations) < 0 && errno != EAGAIN) return 1;
    }
    for (int side = 0; side < 2; side++) {
      for (int turn = 0; (sources[side].revents & POLLIN) && turn < FRAMES_A_TURN; turn++) {
        ssize_t length = read(taps[side], bytes, sizeof bytes);
        if (length <= 0) break;
        arrive(&ways[side], bytes, (int)length);
      }
      deliver(side);
    }
    if (sources[3].revents) {
      char input[256];
      ssize_t length = read(0, input, sizeof input);
      if (length <= 0) return 0;
      for (ssize_t at = 0; at < length; at++) {
        if (input[at] == '\n') {
          line[line_length] = 0;
          obey(line);
          line_length = 0;
        } else if (line_length < sizeof line - 1) {
          line[line_length++] = input[at];
        }
      }
    }
  }
}
