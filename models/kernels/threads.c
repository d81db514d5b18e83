// ---------------------------------------------------------------------------------------------------------------------
// Threads. The operating system is reached through the function pointers in `pool`, filled in by whoever made it.
//
// A run is a list of tasks, done one after the other; a task is cut in shares, and whichever thread is free takes the
// next one. So nobody ever waits for a thread, only for a share that a thread has begun: on a busy machine a thread that
// does not get a core is simply not there, and the others do its work.
// Who finds nothing to take spins for a while, as the next task is mostly near, and then sleeps on its semaphore: it
// gives its core to whoever holds the share it waits for, and an idle pool costs nothing.

#define MAX_THREADS 64
#define SPINS 1000       // of `pause`, 15 to 60 microseconds: a wait within a run
#define IDLE_SPINS 20000 // between two runs: longer than the host's work between two steps, as waking takes longer still
#define SHARE_BITS 16

struct team {
  long count;  // shares the task is cut in
  long thread; // who does this one: each thread has scratch of its own
};

typedef void (*stage)(struct team *team, long index, const void *arguments);
struct task {
  stage function;
  const void *arguments;
  long shares;
};

struct pool {
  long threads;                               // the calling one included: it is number 0
  int (*wait)(void *semaphore, long forever); // sem_wait, or dispatch_semaphore_wait
  int (*post)(void *semaphore);
  const struct task *tasks; // of this run
  long task_count;          // -1: workers return
  long first;               // the number of the run's first task; tasks are numbered from the pool's beginning
  long front;               // the open task: its number << SHARE_BITS | shares nobody has taken yet
  long finished;            // how many of its shares are done
  long running;             // whether a run is on
  int32 asleep[MAX_THREADS];
  void *semaphores[MAX_THREADS];
};

INLINE long get(const long *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
INLINE void pause_core(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// While kernels run, numbers nearer to zero than 1.2e-38 count as zero: a processor takes a hundred times as long over
// them, and nothing hangs on them. (A GELU's slope fills whole matrices with them; a step then took 17 times as long.)
// Returns the thread's former mode, which is the caller's to restore: Python's own numbers are none of ours.
INLINE unsigned long flush_tiny(void) {
  unsigned long mode = 0;
#if defined(__x86_64__)
  mode = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr((uint32)mode | 0x8040); // results to zero, operands as zero
#elif defined(__aarch64__)
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1ul << 24));
#endif
  return mode;
}
INLINE void restore_mode(unsigned long mode) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((uint32)mode);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#endif
}

static void wake(struct pool *pool, long thread) {
  if (__atomic_exchange_n(&pool->asleep[thread], 0, __ATOMIC_SEQ_CST)) pool->post(pool->semaphores[thread]);
}

// Open task `number` to all; after the run's last task, none is open and the calling thread is woken.
static void open_task(struct pool *pool, long number, long thread) {
  const long threads = pool->threads, place = number - pool->first;
  long shares = place < pool->task_count ? pool->tasks[place].shares : 0;
  pool->finished = 0;
  __atomic_store_n(&pool->running, shares > 0, __ATOMIC_RELAXED);
  __atomic_store_n(&pool->front, number << SHARE_BITS | shares, __ATOMIC_SEQ_CST);
  // From here on the run may be over and another one begun: only `asleep` is still looked at.
  if (!shares) wake(pool, 0);
  for (long i = 0; i < threads && shares > 1; i++)
    if (i != thread && __atomic_load_n(&pool->asleep[i], __ATOMIC_SEQ_CST)) {
      wake(pool, i);
      shares--;
    }
}

// Wait until the front is no longer `seen`, where there is nothing to take.
static void wait_for_change(struct pool *pool, long thread, long seen) {
  const long spins = get(&pool->running) ? SPINS : IDLE_SPINS;
  for (long i = 0; i < spins; i++) {
    if (get(&pool->front) != seen) return;
    pause_core();
  }
  __atomic_store_n(&pool->asleep[thread], 1, __ATOMIC_SEQ_CST);
  // Between these two lines the front may have changed: whoever clears `asleep` first decides who wakes whom.
  int changed = __atomic_load_n(&pool->front, __ATOMIC_SEQ_CST) != seen;
  if (changed && __atomic_exchange_n(&pool->asleep[thread], 0, __ATOMIC_SEQ_CST)) return;
  while (pool->wait(pool->semaphores[thread], -1)) {} // interrupted by a signal: wait again
}

// Take shares, of whatever task is open, until task `end` would be next (-1: until the pool is stopped).
static void take_shares(struct pool *pool, long thread, long end) {
  for (;;) {
    long front = get(&pool->front), number = front >> SHARE_BITS, left = front & ((1 << SHARE_BITS) - 1);
    if (number == end) return;
    if (!left) {
      wait_for_change(pool, thread, front);
      if (pool->task_count < 0) return;
      continue;
    }
    // Once the share is taken, the task stays open until it is done: what the pool says of it holds.
    if (!__atomic_compare_exchange_n(&pool->front, &front, front - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) continue;
    const struct task *task = &pool->tasks[number - pool->first];
    struct team team = {task->shares, thread};
    task->function(&team, team.count - left, task->arguments);
    if (__atomic_add_fetch(&pool->finished, 1, __ATOMIC_ACQ_REL) == team.count) open_task(pool, number + 1, thread);
  }
}

// The body of worker thread `index` (1 .. threads - 1); returns after `pool_stop`.
void pool_worker(struct pool *pool, long index) {
  flush_tiny(); // for good: the thread is ours
  take_shares(pool, index, -1);
}

// Run `count` tasks one after the other on all threads; returns when all are done.
void pool_run(struct pool *pool, const struct task *tasks, long count) {
  pool->tasks = tasks;
  pool->task_count = count;
  pool->first = (pool->front >> SHARE_BITS) + 1;
  const unsigned long mode = flush_tiny();
  open_task(pool, pool->first, 0);
  take_shares(pool, 0, pool->first + count);
  restore_mode(mode);
}

void pool_stop(struct pool *pool) {
  pool->task_count = -1;
  __atomic_store_n(&pool->front, ((pool->front >> SHARE_BITS) + 1) << SHARE_BITS, __ATOMIC_SEQ_CST);
  for (long i = 1; i < pool->threads; i++) wake(pool, i);
}

// Call programs one after the other: each row of `calls` is an address and 63 arguments, of which a program takes what
// it declares (the others cost nothing much: tinygrad's own CPU queue calls so too).
#define A7(f, i) f(i + 1), f(i + 2), f(i + 3), f(i + 4), f(i + 5), f(i + 6), f(i + 7)
#define A63(f) A7(f, 0), A7(f, 7), A7(f, 14), A7(f, 21), A7(f, 28), A7(f, 35), A7(f, 42), A7(f, 49), A7(f, 56)
#define LONG(i) long
#define ARGUMENT(i) calls[i]
void replay(const long *calls, long count) {
  const unsigned long mode = flush_tiny();
  for (; count > 0; count--, calls += 64) ((void (*)(A63(LONG)))calls[0])(A63(ARGUMENT));
  restore_mode(mode);
}
