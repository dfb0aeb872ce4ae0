// SPDX-License-Identifier: GPL-2.0-only
/*
 * A walk through everything that changes who pays, in random order: maps, copies,
 * unmaps, pins, fork, exec, exit, files passed to others, changes of process and
 * of cgroup. After each step all counters are compared with a model: VmPin and
 * VmLck of each process, the counter of each user, that of each file and what it
 * tells in fdinfo, and dmem.current of each cgroup.
 *
 * The seed is printed; IOMMUFD_SEED=<n> makes the same walk again.
 */
#include "actor.h"

/* Three files, one of each mode */
#define CTXS 3
#define SLOTS 4
#define SLOT_PAGES 8
#define ALL 0xff
#define SETS (CTXS * 2 * SLOTS)
#define PINS 24
#define ACTORS 6
#define GROUPS 2
#define STEPS 300
#define NEEDS_PIN MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES
#define LIMIT 0x40000000UL

enum mode { USER, PROCESS, FILE_MODE, NONE };
enum { LAZY, EAGER, SPACES };

static const uid_t uids[] = { 0, 4242, 4343 };

/* What is charged for is a set: one map call's memory. */
struct set {
	bool there, file;
	unsigned int ctx;
	enum mode mode;
	/* Of the payer: which life of which process, 0 for one that is over */
	unsigned int mm;
	uid_t uid;
	/*
	 * What the groups have paid, in how many charges, and which of them was
	 * the first to pay; -1 if that one has got all of it back.
	 */
	unsigned int paid[GROUPS], charges[GROUPS], used;
	int first;
};

struct pin {
	bool there;
	unsigned int ctx, slot, mask;
	uint32_t item;
	struct set *set;
};

struct process {
	bool there;
	pid_t pid;
	uid_t uid;
	unsigned int mm, group;
	bool has[CTXS];
};

static struct {
	int fd[CTXS], access[CTXS], memfd;
	uint32_t ioas[CTXS][SPACES];
	struct set set[SETS], *area[CTXS][SPACES][SLOTS];
	struct pin pin[PINS];
	struct process process[ACTORS];
	unsigned int last_mm;
	uint64_t random;
	/* For the message */
	char step[128];
} w;

static unsigned int pick(unsigned int n)
{
	return (t_random(&w.random) >> 33) % n;
}

/* The rules */

static unsigned int pinned(const struct set *set)
{
	unsigned int mask = 0, i;

	for (i = 0; i < SLOTS; i++)
		if (w.area[set->ctx][EAGER][i] == set)
			mask = ALL;
	for (i = 0; i < PINS; i++)
		if (w.pin[i].there && w.pin[i].set == set)
			mask |= w.pin[i].mask;
	return mask;
}

static unsigned int paid(const struct set *set)
{
	return set->paid[0] + set->paid[1];
}

static void group_pays(struct set *set, unsigned int group, unsigned int n)
{
	unsigned int spare = paid(set) - set->used;

	set->used += n;
	if (n <= spare)
		return;
	if (!set->paid[group] && set->first < 0)
		set->first = group;
	set->paid[group] += n - spare;
	set->charges[group]++;
}

static void group_gets_back(struct set *set, unsigned int whose,
			    unsigned int caller)
{
	unsigned int n = paid(set) - set->used;

	if (n >= set->paid[whose]) {
		set->paid[whose] = 0;
		set->charges[whose] = 0;
		if (set->first == (int)whose)
			set->first = -1;
	} else if (n && (set->charges[whose] > 1 || whose == caller)) {
		set->paid[whose] -= n;
		if (set->charges[whose] > 1)
			set->charges[whose]--;
	}
}

/* @n pages are unpinned by a process of group @caller. */
static void give_back(struct set *set, unsigned int n, unsigned int caller)
{
	int first = set->first;

	set->used -= n;
	/* The later one is served first. */
	if (first != 0)
		group_gets_back(set, 0, caller);
	if (first != 1)
		group_gets_back(set, 1, caller);
	if (first >= 0)
		group_gets_back(set, first, caller);
}

/* Goes from what was pinned to what is: each gap by itself. */
static void account(struct set *set, unsigned int before, unsigned int group)
{
	unsigned int after = pinned(set), n = 0, i;
	unsigned int changed = before ^ after;
	bool more = after & ~before;

	for (i = 0; i <= SLOT_PAGES; i++) {
		if (changed & (1U << i)) {
			n++;
			continue;
		}
		if (!n)
			continue;
		if (more)
			group_pays(set, group, n);
		else
			give_back(set, n, group);
		n = 0;
	}
}

/* What pinning says if the payer's life is over, or 0. */
static int dead(struct set *set, unsigned int wanted, unsigned int caller)
{
	unsigned int missing = wanted & ~pinned(set), n = 0;
	int err = EINVAL;

	if (set->mm || !missing)
		return 0;
	if (set->mode != PROCESS) {
		if (set->file)
			return 0;
		/* The first gap was charged before nothing was found there. */
		missing >>= __builtin_ctz(missing);
		for (; missing & 1; missing >>= 1)
			n++;
		group_pays(set, caller, n);
		give_back(set, n, caller);
		err = EFAULT;
	}
	return err;
}

static struct set *new_set(unsigned int ctx, const struct process *p, bool file)
{
	unsigned int i;

	for (i = 0; i < SETS && w.set[i].there; i++)
		;
	w.set[i] = (struct set) {
		.there = true,
		.file = file,
		.ctx = ctx,
		.mode = p->uid ? ctx : NONE,
		.mm = p->mm,
		.uid = p->uid,
		.first = -1,
	};
	return &w.set[i];
}

/* A set ends with its last area. */
static void put_set(struct set *set)
{
	unsigned int space, i;

	for (space = 0; space < SPACES; space++)
		for (i = 0; i < SLOTS; i++)
			if (w.area[set->ctx][space][i] == set)
				return;
	set->there = false;
}

/* Steps. Each returns false if it could not be made at all. */

static uint64_t iova(unsigned int slot)
{
	return T_BASE + slot * T_PMD;
}

/* Any process that has a file. */
static struct process *somebody(unsigned int ctx)
{
	unsigned int i, from = pick(ACTORS);
	struct process *p;

	for (i = 0; i < ACTORS; i++) {
		p = &w.process[(from + i) % ACTORS];
		if (p->there && (ctx == CTXS || p->has[ctx]))
			return p;
	}
	return NULL;
}

#define NR(p) ((unsigned int)((p) - w.process))
#define SAY(...) snprintf(w.step, sizeof(w.step), __VA_ARGS__)

static int step_map(void)
{
	unsigned int ctx = pick(CTXS), space = pick(SPACES), slot = pick(SLOTS);
	struct process *p = somebody(ctx);
	bool file = pick(3);
	struct set *set;
	int err;

	if (!p || w.area[ctx][space][slot])
		return -1;
	SAY("%u maps %s in file %u, space %u, slot %u", NR(p),
	    file ? "a file" : "its memory", ctx, space, slot);
	err = ACTOR(NR(p), .op = file ? ACTOR_MAP_FILE : ACTOR_MAP,
		    .fd = w.fd[ctx], .id = w.ioas[ctx][space], .id2 = w.memfd,
		    .iova = iova(slot), .length = SLOT_PAGES * T_PAGE);
	if (err)
		return err;
	set = new_set(ctx, p, file);
	w.area[ctx][space][slot] = set;
	account(set, 0, p->group);
	return 0;
}

static int step_copy(void)
{
	unsigned int ctx = pick(CTXS), space = pick(SPACES), slot = pick(SLOTS);
	unsigned int from = pick(SPACES), from_slot = pick(SLOTS), before;
	struct process *p = somebody(ctx);
	struct set *set = w.area[ctx][from][from_slot];
	int err, expected;

	if (!p || !set || w.area[ctx][space][slot])
		return -1;
	SAY("%u copies in file %u, space %u, slot %u to %u, %u", NR(p), ctx,
	    from, from_slot, space, slot);
	err = ACTOR(NR(p), .op = ACTOR_COPY, .fd = w.fd[ctx],
		    .id = w.ioas[ctx][space], .id2 = w.ioas[ctx][from],
		    .iova = iova(slot), .iova2 = iova(from_slot),
		    .length = SLOT_PAGES * T_PAGE);
	expected = space == EAGER ? dead(set, ALL, p->group) : 0;
	if (err || expected)
		return err == expected ? 0 : err ?: expected;
	before = pinned(set);
	w.area[ctx][space][slot] = set;
	account(set, before, p->group);
	return 0;
}

static int step_unmap(void)
{
	unsigned int ctx = pick(CTXS), space = pick(SPACES), slot = pick(SLOTS);
	struct process *p = somebody(ctx);
	struct set *set = w.area[ctx][space][slot];
	unsigned int before, i;
	int err;

	if (!p || !set)
		return -1;
	SAY("%u unmaps in file %u, space %u, slot %u", NR(p), ctx, space, slot);
	err = ACTOR(NR(p), .op = ACTOR_UNMAP, .fd = w.fd[ctx],
		    .id = w.ioas[ctx][space], .iova = iova(slot),
		    .length = SLOT_PAGES * T_PAGE);
	if (err)
		return err;
	/* The access lets go of each of its pins, the oldest first. */
	for (i = 0; space == LAZY && i < PINS; i++) {
		struct pin *pin = &w.pin[i];

		if (!pin->there || pin->ctx != ctx || pin->slot != slot)
			continue;
		before = pinned(set);
		pin->there = false;
		account(set, before, p->group);
	}
	before = pinned(set);
	w.area[ctx][space][slot] = NULL;
	account(set, before, p->group);
	put_set(set);
	return 0;
}

static int step_pin(void)
{
	unsigned int ctx = pick(CTXS), slot = pick(SLOTS), i, before;
	unsigned int first = pick(SLOT_PAGES), n = 1 + pick(SLOT_PAGES - first);
	struct process *p = somebody(ctx);
	struct set *set = w.area[ctx][LAZY][slot];
	unsigned int mask = ((1U << n) - 1) << first;
	int err, expected;
	uint64_t item;

	/* In the order of their age, for step_unmap() */
	for (i = PINS; i && !w.pin[i - 1].there; i--)
		;
	if (!p || !set || i == PINS)
		return -1;
	SAY("%u pins in file %u, slot %u, pages %x", NR(p), ctx, slot, mask);
	err = ACTOR_VALUE(NR(p), &item, .op = ACTOR_PIN, .fd = w.fd[ctx],
			  .id = w.access[ctx],
			  .iova = iova(slot) + first * T_PAGE,
			  .length = n * T_PAGE);
	expected = dead(set, mask, p->group);
	if (err || expected)
		return err == expected ? 0 : err ?: expected;
	before = pinned(set);
	w.pin[i] = (struct pin) {
		.there = true,
		.ctx = ctx,
		.slot = slot,
		.mask = mask,
		.item = item,
		.set = set,
	};
	account(set, before, p->group);
	return 0;
}

static int step_unpin(void)
{
	struct pin *pin = &w.pin[pick(PINS)];
	struct process *p;
	unsigned int before;
	int err;

	if (!pin->there)
		return -1;
	p = somebody(pin->ctx);
	if (!p)
		return -1;
	SAY("%u unpins in file %u, slot %u, pages %x", NR(p), pin->ctx,
	    pin->slot, pin->mask);
	err = ACTOR(NR(p), .op = ACTOR_UNPIN, .fd = w.fd[pin->ctx],
		    .id = w.access[pin->ctx], .id2 = pin->item);
	if (err)
		return err;
	before = pinned(pin->set);
	pin->there = false;
	account(pin->set, before, p->group);
	return 0;
}

static int step_change(void)
{
	unsigned int ctx = pick(CTXS), i;
	struct process *p = somebody(ctx);
	int err, expected = 0;
	struct set *set;

	if (!p)
		return -1;
	for (i = 0; i < SETS; i++)
		if (w.set[i].there && w.set[i].ctx == ctx && !w.set[i].file)
			expected = EINVAL;
	SAY("%u takes over file %u", NR(p), ctx);
	err = ACTOR(NR(p), .op = ACTOR_CHANGE, .fd = w.fd[ctx]);
	if (err || expected)
		return err == expected ? 0 : err ?: expected;
	for (i = 0; i < SETS; i++) {
		set = &w.set[i];
		if (!set->there || set->ctx != ctx)
			continue;
		set->mm = p->mm;
		set->uid = p->uid;
		if (!paid(set) || (set->first == (int)p->group &&
				   set->paid[p->group] == paid(set)))
			continue;
		memset(set->paid, 0, sizeof(set->paid));
		memset(set->charges, 0, sizeof(set->charges));
		set->paid[p->group] = set->used;
		set->charges[p->group] = 1;
		set->first = p->group;
	}
	return 0;
}

static int step_fork(void)
{
	struct process *p = somebody(CTXS);
	uint64_t pid;
	unsigned int i;
	int err;

	for (i = 0; i < ACTORS && w.process[i].there; i++)
		;
	if (i == ACTORS)
		return -1;
	SAY("%u forks %u", NR(p), i);
	err = ACTOR_VALUE(NR(p), &pid, .op = ACTOR_FORK, .id = i);
	if (err)
		return err;
	w.process[i] = *p;
	w.process[i].pid = pid;
	w.process[i].mm = ++w.last_mm;
	return 0;
}

/* The memory that pays is gone, whoever it belonged to. */
static void mm_ends(unsigned int mm)
{
	unsigned int i;

	for (i = 0; i < SETS; i++)
		if (w.set[i].mm == mm)
			w.set[i].mm = 0;
}

static int step_exec(void)
{
	struct process *p = somebody(CTXS);
	int err;

	SAY("%u execs", NR(p));
	err = ACTOR(NR(p), .op = ACTOR_EXEC);
	if (err)
		return err;
	mm_ends(p->mm);
	p->mm = ++w.last_mm;
	return 0;
}

static int step_exit(void)
{
	struct process *p = somebody(CTXS);
	unsigned int i, of_user = 0;
	int err;

	/* One of each user stays, or its counter could not be asked for. */
	for (i = 0; i < ACTORS; i++)
		of_user += w.process[i].there && w.process[i].uid == p->uid;
	if (of_user == 1)
		return -1;
	SAY("%u exits", NR(p));
	err = actor_end(NR(p), p->pid) ? 0 : ETIME;
	mm_ends(p->mm);
	p->there = false;
	return err;
}

static int step_pass(void)
{
	unsigned int ctx = pick(CTXS);
	struct process *p = somebody(ctx), *q = somebody(CTXS);
	int err;

	if (!p || p == q)
		return -1;
	SAY("%u passes file %u to %u", NR(p), ctx, NR(q));
	err = ACTOR(NR(p), .op = ACTOR_SEND, .fd = w.fd[ctx],
		    .id = w.access[ctx]);
	if (err)
		return err;
	q->has[ctx] = true;
	return ACTOR(NR(q), .op = ACTOR_RECEIVE, .fd = w.fd[ctx],
		     .id = w.access[ctx]);
}

static int step_close(void)
{
	unsigned int ctx = pick(CTXS), i, others = 0;
	struct process *p = somebody(ctx);

	for (i = 0; i < ACTORS; i++)
		others += w.process[i].there && w.process[i].has[ctx];
	if (!p || others == 1)
		return -1;
	SAY("%u closes file %u", NR(p), ctx);
	p->has[ctx] = false;
	return ACTOR(NR(p), .op = ACTOR_CLOSE, .fd = w.fd[ctx]) ?:
	       ACTOR(NR(p), .op = ACTOR_CLOSE, .fd = w.access[ctx]);
}

static int step_group(void)
{
	struct process *p = somebody(CTXS);

	SAY("%u goes to the other cgroup", NR(p));
	p->group = 1 - p->group;
	return t_cgroup_put(p->group, p->pid);
}

static const struct {
	int (*fn)(void);
	unsigned int weight;
	char name[8];
} steps[] = {
	{ step_map, 14, "map" }, { step_copy, 8, "copy" },
	{ step_unmap, 9, "unmap" }, { step_pin, 12, "pin" },
	{ step_unpin, 12, "unpin" }, { step_change, 8, "change" },
	{ step_fork, 3, "fork" }, { step_exec, 2, "exec" },
	{ step_exit, 2, "exit" }, { step_pass, 4, "pass" },
	{ step_close, 1, "close" }, { step_group, 3, "group" },
};

/* The model against what the kernel tells */

static unsigned int pages_of(const struct set *set)
{
	return set->there ? __builtin_popcount(pinned(set)) : 0;
}

static bool same(const char *what, unsigned int nr, long real, long model)
{
	if (real == model)
		return true;
	ksft_print_msg("%s %u: %ld, expected %ld\n", what, nr, real, model);
	return false;
}

static bool check_processes(void)
{
	long kb = T_PAGE / 1024, pin, lck;
	unsigned int i, j;
	bool good = true;

	for (i = 0; i < ACTORS; i++) {
		const struct process *p = &w.process[i];

		if (!p->there)
			continue;
		pin = 0;
		lck = 0;
		for (j = 0; j < SETS; j++) {
			if (!w.set[j].there || w.set[j].mm != p->mm)
				continue;
			pin += kb * pages_of(&w.set[j]);
			if (w.set[j].mode == PROCESS)
				lck += kb * pages_of(&w.set[j]);
		}
		good &= same("VmPin of process", i, t_status_kb(p->pid, "VmPin"),
			     pin);
		good &= same("VmLck of process", i, t_status_kb(p->pid, "VmLck"),
			     lck);
	}
	return good;
}

/* What is left of the limit tells what is used of it. */
static long used(unsigned int nr, int fd)
{
	uint64_t budget = 0;

	int err = ACTOR_VALUE(nr, &budget, .op = ACTOR_BUDGET, .fd = fd);

	return err ? -1 : (long)(LIMIT - budget);
}

static bool check_users(void)
{
	unsigned int i, j;
	bool good = true;
	long bytes;

	for (i = 0; i < ACTORS; i++) {
		const struct process *p = &w.process[i];

		if (!p->there || !p->uid || !p->has[USER])
			continue;
		bytes = 0;
		for (j = 0; j < SETS; j++)
			if (w.set[j].there && w.set[j].mode == USER &&
			    w.set[j].uid == p->uid)
				bytes += T_PAGE * pages_of(&w.set[j]);
		good &= same("pages of user", p->uid, used(i, w.fd[USER]),
			     bytes);
	}
	return good;
}

static bool check_files(void)
{
	bool good = true;
	unsigned int i, j;
	uint64_t pin;
	long bytes, limited;

	for (i = 0; i < CTXS; i++) {
		bytes = 0;
		limited = 0;
		for (j = 0; j < SETS; j++) {
			if (!w.set[j].there || w.set[j].ctx != i)
				continue;
			bytes += T_PAGE * pages_of(&w.set[j]);
			if (w.set[j].mode == FILE_MODE)
				limited += T_PAGE * pages_of(&w.set[j]);
		}
		pin = 0;
		t_option(w.fd[i], IOMMU_X_OPTION_PINNED, IOMMU_OPTION_OP_GET, 0,
			 &pin);
		good &= same("PINNED of file", i, pin, bytes);
		good &= same("fdinfo of file", i,
			     t_fdinfo_number(w.fd[i], "iommufd-pinned-bytes"),
			     bytes);
		for (j = 0; i == FILE_MODE && j < ACTORS; j++)
			if (w.process[j].there && w.process[j].uid &&
			    w.process[j].has[i])
				good &= same("counter of file", i,
					     used(j, w.fd[i]), limited);
	}
	return good;
}

static bool check_groups(void)
{
	bool good = true;
	unsigned int i, j;
	long bytes;

	for (i = 0; i < GROUPS; i++) {
		bytes = 0;
		for (j = 0; j < SETS; j++)
			if (w.set[j].there)
				bytes += T_PAGE * w.set[j].paid[i];
		good &= same("dmem.current of group", i, t_cgroup_pinned(i),
			     bytes);
	}
	return good;
}

static bool check(void)
{
	return check_processes() & check_users() & check_files() &
	       check_groups();
}

FIXTURE(model)
{
	bool made;
};

FIXTURE_SETUP(model)
{
	unsigned int i, j;
	uint64_t mode;

	w.fd[0] = t_open();
	ASSERT_LE(0, w.fd[0]);
	if (!t_has_mock(w.fd[0]))
		SKIP(return, T_NO_MOCK);
	for (i = 0; i < GROUPS; i++)
		if (t_cgroup_make(i))
			SKIP(return, T_NO_DMEM);
	self->made = true;
	w.memfd = t_memfd(SLOT_PAGES * T_PAGE);
	ASSERT_LE(0, w.memfd);
	ASSERT_EQ(0, fcntl(w.memfd, F_SETFD, 0));
	for (i = 0; i < CTXS; i++) {
		if (i)
			w.fd[i] = t_open();
		ASSERT_LE(0, w.fd[i]);
		mode = i;
		ASSERT_EQ(0, t_option(w.fd[i], IOMMU_X_OPTION_ACCOUNT_MODE,
				      IOMMU_OPTION_OP_SET, 0, &mode));
		for (j = 0; j < SPACES; j++)
			ASSERT_EQ(0, t_ioas_alloc(w.fd[i], &w.ioas[i][j]));
		ASSERT_EQ(0, t_mock(w.fd[i], w.ioas[i][EAGER], NULL, NULL,
				    NULL));
		ASSERT_EQ(0, t_create_access(w.fd[i], w.ioas[i][LAZY],
					     NEEDS_PIN, &w.access[i]));
		/* They live through exec. */
		ASSERT_EQ(0, fcntl(w.fd[i], F_SETFD, 0));
		ASSERT_EQ(0, fcntl(w.access[i], F_SETFD, 0));
	}
	ASSERT_TRUE(actors_init());
	for (i = 0; i < 3; i++) {
		w.process[i] = (struct process) {
			.there = true,
			.pid = actor_start(i),
			.uid = uids[i],
			.mm = ++w.last_mm,
			.has = { true, true, true },
		};
		ASSERT_LT(0, w.process[i].pid);
		ASSERT_EQ(0, ACTOR(i, .op = ACTOR_GROUP, .id = 0,
				   .id2 = getpid()));
		ASSERT_EQ(0, ACTOR(i, .op = ACTOR_MEMLOCK, .length = LIMIT));
		if (uids[i])
			ASSERT_EQ(0, ACTOR(i, .op = ACTOR_SETUID,
					   .id = uids[i]));
		/* The first one passes on what there is. */
		for (j = 0; i && j < CTXS; j++) {
			w.process[i].has[j] = false;
			ASSERT_EQ(0, ACTOR(i, .op = ACTOR_CLOSE,
					   .fd = w.fd[j]));
			ASSERT_EQ(0, ACTOR(i, .op = ACTOR_CLOSE,
					   .fd = w.access[j]));
		}
	}
}

FIXTURE_TEARDOWN(model)
{
	unsigned int i;

	if (!self->made)
		return;
	for (i = 0; i < ACTORS; i++)
		if (w.process[i].there)
			EXPECT_TRUE(actor_end(i, w.process[i].pid));
	for (i = 0; i < GROUPS; i++)
		EXPECT_EQ(0, t_cgroup_remove(i));
}

/* Any step that can be made; which one it was, or -1. */
static int any_step(int *err)
{
	unsigned int n, i, sum = 0;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		sum += steps[i].weight;
	n = pick(sum);
	for (i = 0; n >= steps[i].weight; i++)
		n -= steps[i].weight;
	*err = steps[i].fn();
	return *err < 0 ? -1 : (int)i;
}

TEST_F_TIMEOUT(model, walk, 600)
{
	unsigned int made = 0, done[ARRAY_SIZE(steps)] = {}, i, j, space;
	const char *seed = getenv("IOMMUFD_SEED");
	int step, err;

	w.random = seed ? strtoull(seed, NULL, 0) :
			  (uint64_t)(t_seconds() * 1e9) | 1;
	TH_LOG("seed %llu", (unsigned long long)w.random);
	ASSERT_TRUE(check());
	while (made < STEPS) {
		step = any_step(&err);
		if (step < 0)
			continue;
		ASSERT_EQ(0, err)
			TH_LOG("step %u: %s: %s", made, w.step, strerror(err));
		ASSERT_TRUE(check())
			TH_LOG("step %u: %s", made, w.step);
		done[step]++;
		made++;
	}
	for (i = 0; i < ARRAY_SIZE(steps); i++)
		EXPECT_LT(0, done[i])
			TH_LOG("%s: never", steps[i].name);

	/* In the end nobody owes anything. */
	for (i = 0; i < CTXS; i++)
		for (space = 0; space < SPACES; space++)
			EXPECT_EQ(0, t_unmap_all(w.fd[i], w.ioas[i][space],
						 NULL));
	for (j = 0; j < SETS; j++)
		w.set[j].there = false;
	EXPECT_TRUE(check());
}

TEST_HARNESS_MAIN
