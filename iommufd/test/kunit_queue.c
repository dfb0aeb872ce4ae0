// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: KUnit of object/queue.c and of event queues
 *
 * Reader's memory is real user memory that ends at a cliff, so that copies fail
 * where a test wants it.  The models keep all events in an array and copy byte
 * by byte; what was read, and what was not touched, is compared as a whole.
 */
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "object/ctx.h"
#include "object/queue.h"
#include "test/kunit.h"
#include "viommu/veventq.h"

#define OPS		20000
#define EVENTS_MAX	40
#define EVENT_BYTES_MAX	300
#define ROOM		(2 * PAGE_SIZE)
#define UNTOUCHED	0xa5
#define TYPE		IOMMU_VEVENTQ_TYPE_ARM_SMMUV3
#define HEADER		sizeof(struct iommufd_vevent_header)

/* Memory of the reader: @cliff is the first byte that is not there. */
struct reader {
	struct kunit *test;
	struct rnd_state rnd;
	unsigned long cliff;
	u8 *want;
	u8 *got;
};

static void reader_init(struct kunit *test, struct reader *reader)
{
	unsigned long user;

	reader->test = test;
	iofd_kunit_random(test, &reader->rnd);
	user = kunit_vm_mmap(test, NULL, 0, ROOM + PAGE_SIZE,
			     PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(user));
	reader->cliff = user + ROOM;
	KUNIT_ASSERT_EQ(test, vm_munmap(reader->cliff, PAGE_SIZE), 0);
	reader->want = kunit_kzalloc(test, ROOM, GFP_KERNEL);
	reader->got = kunit_kzalloc(test, ROOM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reader->want);
	KUNIT_ASSERT_NOT_NULL(test, reader->got);
}

/* A read of @count bytes of which only the first @room can be written. */
static ssize_t read_some(struct reader *reader, struct iofd_queue *queue,
			 size_t count, size_t room)
{
	u8 __user *to = (u8 __user *)(reader->cliff - room);
	ssize_t rc;

	memset(reader->got, UNTOUCHED, room);
	KUNIT_ASSERT_EQ(reader->test,
			copy_to_user(to, reader->got, room), 0);
	rc = iofd_queue_read(queue, to, count);
	KUNIT_ASSERT_EQ(reader->test,
			copy_from_user(reader->got, to, room), 0);
	return rc;
}

static ssize_t read_all(struct reader *reader, struct iofd_queue *queue)
{
	return read_some(reader, queue, ROOM, ROOM);
}

/* What an event is in a model */
struct model_event {
	size_t size;
	u8 bytes[EVENT_BYTES_MAX];
};

struct model {
	struct model_event events[EVENTS_MAX];
	unsigned int nr;
};

static void model_remove_first(struct model *model)
{
	model->nr--;
	memmove(model->events, model->events + 1,
		model->nr * sizeof(model->events[0]));
}

/* Leaves in @want what a read must write, and the events it must leave. */
static ssize_t model_read(struct model *model, u8 *want, size_t count,
			  size_t room)
{
	size_t done = 0, size, i;

	memset(want, UNTOUCHED, room);
	while (model->nr) {
		size = model->events[0].size;
		if (done + size > count)
			return done ? done : -EINVAL;
		if (done + size > room)
			return done ? done : -EFAULT;
		for (i = 0; i < size; i++)
			want[done + i] = model->events[0].bytes[i];
		done += size;
		model_remove_first(model);
	}
	return done;
}

/*
 * Read at random and compare. Behind the last event that fitted a copy that
 * failed may have left bytes of the next.
 */
static void check_read(struct reader *reader, struct iofd_queue *queue,
		       struct model *model)
{
	size_t count = iofd_kunit_below(&reader->rnd, 2 * EVENT_BYTES_MAX);
	size_t room = count;
	ssize_t want, same;

	if (iofd_kunit_one_in(&reader->rnd, 8))
		count = iofd_kunit_below(&reader->rnd, ROOM);
	if (iofd_kunit_one_in(&reader->rnd, 2))
		room = iofd_kunit_below(&reader->rnd, count + 1);
	else
		room = count;
	want = model_read(model, reader->want, count, room);
	KUNIT_ASSERT_EQ(reader->test, read_some(reader, queue, count, room),
			want);
	same = room == count ? room : max_t(ssize_t, want, 0);
	KUNIT_ASSERT_EQ(reader->test,
			memcmp(reader->got, reader->want, same), 0);
	KUNIT_ASSERT_EQ(reader->test, list_empty(&queue->events), !model->nr);
}

/* A kind of events that is nothing but bytes */
struct plain_event {
	struct list_head node;
	struct model_event event;
};

static size_t plain_size(struct iofd_queue *queue, struct list_head *event)
{
	return list_entry(event, struct plain_event, node)->event.size;
}

static int plain_take(struct iofd_queue *queue, struct list_head *event,
		      void *bytes)
{
	struct plain_event *plain = list_entry(event, struct plain_event, node);

	list_del(event);
	memcpy(bytes, plain->event.bytes, plain->event.size);
	return 0;
}

static void plain_done(struct iofd_queue *queue, struct list_head *event,
		       bool read)
{
	if (read)
		kfree(list_entry(event, struct plain_event, node));
	else
		iofd_queue_push_back(queue, event);
}

static const struct iofd_queue_ops plain_ops = {
	.size = plain_size,
	.take = plain_take,
	.done = plain_done,
};

static void push_plain(struct reader *reader, struct iofd_queue *queue,
		       struct model *model)
{
	struct plain_event *plain = kzalloc_obj(*plain);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(reader->test, plain);
	plain->event.size = 1 + iofd_kunit_below(&reader->rnd,
						 EVENT_BYTES_MAX);
	for (i = 0; i < plain->event.size; i++)
		plain->event.bytes[i] = prandom_u32_state(&reader->rnd);
	model->events[model->nr++] = plain->event;
	guard(mutex)(&queue->lock);
	iofd_queue_push(queue, &plain->node);
}

static void queue_random(struct kunit *test)
{
	struct iofd_queue *queue = kunit_kzalloc(test, sizeof(*queue),
						 GFP_KERNEL);
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	struct iommufd_ctx *ictx = kunit_kzalloc(test, sizeof(*ictx),
						 GFP_KERNEL);
	struct iommufd_object obj = {};
	struct reader reader;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, queue);
	KUNIT_ASSERT_NOT_NULL(test, model);
	KUNIT_ASSERT_NOT_NULL(test, ictx);
	reader_init(test, &reader);
	iofd_queue_init(queue, &plain_ops, ictx, &obj);
	for (i = 0; i < OPS; i++) {
		if (model->nr < EVENTS_MAX && iofd_kunit_one_in(&reader.rnd, 2))
			push_plain(&reader, queue, model);
		else
			check_read(&reader, queue, model);
	}
	read_all(&reader, queue);
	read_all(&reader, queue);
	KUNIT_EXPECT_TRUE(test, list_empty(&queue->events));
	iofd_queue_fini(queue);
}

/* A vIOMMU that has nothing but one queue of @depth, in an empty context */
struct scene {
	struct reader reader;
	struct iommufd_ctx ictx;
	struct iommufd_viommu viommu;
	struct iofd_veventq veventq;
};

static struct scene *scene_new(struct kunit *test, u32 depth)
{
	struct scene *scene = kunit_kzalloc(test, sizeof(*scene), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, scene);
	reader_init(test, &scene->reader);
	scene->viommu.ictx = &scene->ictx;
	INIT_LIST_HEAD(&scene->viommu.veventqs);
	init_rwsem(&scene->viommu.veventqs_rwsem);
	iofd_veventq_init(&scene->veventq, &scene->ictx, TYPE, depth);
	KUNIT_ASSERT_EQ(test,
			iofd_veventq_link(&scene->veventq, &scene->viommu), 0);
	return scene;
}

static void scene_end(struct scene *scene)
{
	iofd_veventq_unlink(&scene->veventq);
	iofd_veventq_fini(&scene->veventq);
	KUNIT_EXPECT_TRUE(scene->reader.test,
			  list_empty(&scene->viommu.veventqs));
}

static int report(struct scene *scene, u32 data)
{
	return iommufd_viommu_report_event(&scene->viommu, TYPE, &data,
					   sizeof(data));
}

/* An event without memory for it; false if that can't be had. */
static bool report_without_memory(struct scene *scene)
{
	int rc;

	iofd_kunit_fail_nth(1);
	rc = report(scene, 0);
	if (!iofd_kunit_fail_end())
		return false;
	KUNIT_EXPECT_EQ(scene->reader.test, rc, -ENOMEM);
	return true;
}

/* Read all there is: these sequence numbers, a marker as LOST | number. */
#define LOST BIT(31)

static void expect_events(struct scene *scene, const u32 *want, unsigned int nr)
{
	struct kunit *test = scene->reader.test;
	struct iommufd_vevent_header header;
	ssize_t have = read_all(&scene->reader, &scene->veventq.queue);
	ssize_t at = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_LE(test, at + (ssize_t)HEADER, have);
		memcpy(&header, scene->reader.got + at, HEADER);
		KUNIT_ASSERT_EQ(test, header.sequence, want[i] & ~LOST);
		KUNIT_ASSERT_EQ(test, header.flags,
				want[i] & LOST ?
					IOMMU_VEVENTQ_FLAG_LOST_EVENTS : 0);
		at += HEADER + (want[i] & LOST ? 0 : sizeof(u32));
	}
	KUNIT_ASSERT_EQ(test, at, have);
	KUNIT_ASSERT_EQ(test, scene->veventq.nr_events, 0);
}

#define EXPECT_EVENTS(scene, ...)					\
	do {								\
		const u32 events_[] = { __VA_ARGS__ };			\
									\
		expect_events(scene, events_, ARRAY_SIZE(events_));	\
	} while (0)

static void veventq_types(struct kunit *test)
{
	struct scene *scene = scene_new(test, 4);
	struct iofd_veventq *other = kunit_kzalloc(test, sizeof(*other),
						   GFP_KERNEL);
	u32 data = 7;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_EQ(test, report(scene, 1), 0);
	KUNIT_EXPECT_EQ(test,
			iommufd_viommu_report_event(&scene->viommu, TYPE + 1,
						    &data, sizeof(data)),
			-EOPNOTSUPP);
	iofd_veventq_init(other, &scene->ictx, TYPE, 1);
	KUNIT_EXPECT_EQ(test, iofd_veventq_link(other, &scene->viommu),
			-EEXIST);
	other->type = TYPE + 1;
	KUNIT_EXPECT_EQ(test, iofd_veventq_link(other, &scene->viommu), 0);
	KUNIT_EXPECT_EQ(test,
			iommufd_viommu_report_event(&scene->viommu, TYPE + 1,
						    &data, sizeof(data)),
			0);
	/* Each has numbers of its own. */
	EXPECT_EVENTS(scene, 0);
	KUNIT_EXPECT_EQ(test, other->sequence, 1);
	iofd_veventq_unlink(other);
	/* What was not read goes with it. */
	iofd_veventq_fini(other);
	KUNIT_EXPECT_EQ(test,
			iommufd_viommu_report_event(&scene->viommu, TYPE + 1,
						    &data, sizeof(data)),
			-EOPNOTSUPP);
	scene_end(scene);
}

static void veventq_loses(struct kunit *test)
{
	struct scene *scene = scene_new(test, 2);
	unsigned int i;

	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	/* The marker tells of the latest; a second read has nothing. */
	EXPECT_EVENTS(scene, 0, 1, LOST | 4);
	KUNIT_EXPECT_EQ(test, read_all(&scene->reader, &scene->veventq.queue),
			0);
	KUNIT_EXPECT_EQ(test, report(scene, 5), 0);
	EXPECT_EVENTS(scene, 5);

	/* An event that fits takes the place of the marker before it. */
	for (i = 6; i < 9; i++)
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	KUNIT_ASSERT_EQ(test,
			read_some(&scene->reader, &scene->veventq.queue,
				  HEADER + 4, HEADER + 4),
			HEADER + 4);
	KUNIT_EXPECT_EQ(test, report(scene, 9), 0);
	EXPECT_EVENTS(scene, 7, 9);
	scene_end(scene);
}

static void veventq_depth_one(struct kunit *test)
{
	struct scene *scene = scene_new(test, 1);
	unsigned int i;

	for (i = 0; i < 10; i += 2) {
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
		EXPECT_EVENTS(scene, i, LOST | (i + 1));
	}
	scene_end(scene);
}

static void veventq_wraps(struct kunit *test)
{
	struct scene *scene = scene_new(test, 3);
	unsigned int i;

	scene->veventq.sequence = S32_MAX - 1;
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	EXPECT_EVENTS(scene, S32_MAX - 1, S32_MAX, 0);

	/* In the marker too, at the last number and behind it */
	scene->veventq.sequence = S32_MAX - 3;
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	EXPECT_EVENTS(scene, S32_MAX - 3, S32_MAX - 2, S32_MAX - 1,
		      LOST | S32_MAX);
	scene->veventq.sequence = S32_MAX - 2;
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	EXPECT_EVENTS(scene, S32_MAX - 2, S32_MAX - 1, S32_MAX, LOST | 0);
	KUNIT_EXPECT_EQ(test, report(scene, i), 0);
	EXPECT_EVENTS(scene, 1);
	scene_end(scene);
}

static void veventq_no_memory(struct kunit *test)
{
	struct scene *scene = scene_new(test, 4);

	if (!report_without_memory(scene)) {
		scene_end(scene);
		kunit_skip(test, "no fault injection");
	}
	/* Lost although there is room; the marker is all there is. */
	EXPECT_EVENTS(scene, LOST | 0);
	KUNIT_EXPECT_EQ(test, report(scene, 1), 0);
	report_without_memory(scene);
	report_without_memory(scene);
	EXPECT_EVENTS(scene, 1, LOST | 3);
	report_without_memory(scene);
	KUNIT_EXPECT_EQ(test, report(scene, 5), 0);
	EXPECT_EVENTS(scene, 5);
	scene_end(scene);
}

/* Take the first event as a reader does that is slow to copy it. */
static struct list_head *take(struct scene *scene)
{
	struct iofd_queue *queue = &scene->veventq.queue;
	u8 bytes[HEADER + sizeof(u32)];
	struct list_head *event;

	guard(mutex)(&queue->lock);
	KUNIT_ASSERT_FALSE(scene->reader.test, list_empty(&queue->events));
	event = queue->events.next;
	KUNIT_ASSERT_LE(scene->reader.test, queue->ops->size(queue, event),
			sizeof(bytes));
	KUNIT_ASSERT_EQ(scene->reader.test,
			queue->ops->take(queue, event, bytes), 0);
	return event;
}

static void done(struct scene *scene, struct list_head *event, bool read)
{
	struct iofd_queue *queue = &scene->veventq.queue;

	guard(mutex)(&queue->lock);
	queue->ops->done(queue, event, read);
}

/* What comes between the taking of an event and its copy */
static void veventq_meanwhile(struct kunit *test)
{
	struct scene *scene = scene_new(test, 1);
	struct list_head *event;

	/* An event that is being read has its place. */
	KUNIT_EXPECT_EQ(test, report(scene, 0), 0);
	event = take(scene);
	KUNIT_EXPECT_EQ(test, report(scene, 1), 0);
	done(scene, event, false);
	EXPECT_EVENTS(scene, 0, LOST | 1);

	/* A marker that could not be read is out of date if an event came, */
	KUNIT_EXPECT_EQ(test, report(scene, 2), 0);
	KUNIT_EXPECT_EQ(test, report(scene, 3), 0);
	KUNIT_ASSERT_EQ(test,
			read_some(&scene->reader, &scene->veventq.queue,
				  HEADER + 4, HEADER + 4),
			HEADER + 4);
	event = take(scene);
	KUNIT_EXPECT_EQ(test, report(scene, 4), 0);
	done(scene, event, false);
	EXPECT_EVENTS(scene, 4);

	/* or more were lost; else it is as before. */
	if (!report_without_memory(scene)) {
		scene_end(scene);
		kunit_skip(test, "no fault injection");
	}
	event = take(scene);
	report_without_memory(scene);
	done(scene, event, false);
	EXPECT_EVENTS(scene, LOST | 6);
	report_without_memory(scene);
	event = take(scene);
	done(scene, event, false);
	EXPECT_EVENTS(scene, LOST | 7);

	/* A marker that was read is gone, also if a new one came. */
	report_without_memory(scene);
	event = take(scene);
	report_without_memory(scene);
	done(scene, event, true);
	EXPECT_EVENTS(scene, LOST | 9);
	scene_end(scene);
}

/* The model's last event may be the marker. */
static bool model_has_marker(struct model *model)
{
	return model->nr && model->events[model->nr - 1].bytes[0];
}

static void report_at_random(struct scene *scene, struct model *model)
{
	struct rnd_state *rnd = &scene->reader.rnd;
	struct iommufd_vevent_header header = {
		.sequence = scene->veventq.sequence,
	};
	u8 data[EVENT_BYTES_MAX - HEADER];
	size_t length = 1 + iofd_kunit_below(rnd, sizeof(data));
	struct model_event *event;
	unsigned int i;

	for (i = 0; i < length; i++)
		data[i] = prandom_u32_state(rnd);
	KUNIT_ASSERT_EQ(scene->reader.test,
			iommufd_viommu_report_event(&scene->viommu, TYPE, data,
						    length),
			0);
	/* Whatever comes makes an old marker wrong. */
	if (model_has_marker(model))
		model->nr--;
	event = &model->events[model->nr];
	if (model->nr == scene->veventq.depth) {
		header.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
		length = 0;
	}
	model->nr++;
	event->size = HEADER + length;
	memcpy(event->bytes, &header, HEADER);
	memcpy(event->bytes + HEADER, data, length);
}

static void veventq_random(struct kunit *test)
{
	static const u32 depths[] = { 1, 2, 5, EVENTS_MAX - 1 };
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	unsigned int i, j;
	struct scene *scene;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		scene = scene_new(test, depths[i]);
		scene->veventq.sequence = S32_MAX - OPS / 8;
		model->nr = 0;
		for (j = 0; j < OPS / 2; j++) {
			if (iofd_kunit_one_in(&scene->reader.rnd, 2))
				report_at_random(scene, model);
			else
				check_read(&scene->reader,
					   &scene->veventq.queue, model);
		}
		scene_end(scene);
	}
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE_SLOW(queue_random),
	KUNIT_CASE(veventq_types),
	KUNIT_CASE(veventq_loses),
	KUNIT_CASE(veventq_depth_one),
	KUNIT_CASE(veventq_wraps),
	KUNIT_CASE(veventq_no_memory),
	KUNIT_CASE(veventq_meanwhile),
	KUNIT_CASE_SLOW(veventq_random),
	{}
};

struct kunit_suite iofd_queue_suite = {
	.name = "iofd_queue",
	.test_cases = queue_cases,
};
