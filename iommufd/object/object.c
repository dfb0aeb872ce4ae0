// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: objects and IDs
 *
 * Every object of a context has a positive ID from one table, the lowest that
 * is free.  The table's entry says the state: a pointer is a LIVE object,
 * XA_ZERO_ENTRY an ID that is taken (NEW, CLOSING or TOMB) but answers ENOENT.
 *
 * Invariants:
 *
 * 1. An object that a lookup can return has users >= 1 and wait_cnt >= 1; both
 *    of these belong to the table.
 * 2. users reaches 0 only in object_close(), under the table's lock, when the
 *    table's own ref is the only one; from then on iofd_object_ref() fails.
 * 3. destroy() runs with users == 0 and wait_cnt == 0.
 * 4. The ID becomes free after destroy() has returned, so whoever is given it
 *    next finds nothing left of its previous owner.
 */
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "base/check.h"
#include "object/object.h"
#include "trace.h"

/* Longest that a DESTROY waits for ioctls that are using the object. */
#define IOFD_DESTROY_TIMEOUT (60 * HZ)

/**
 * iofd_objects_init - set up an empty ID table
 * @objects: ID table, zeroed
 * @context: number of the context, for traces
 */
void iofd_objects_init(struct iofd_objects *objects, u64 context)
{
	objects->context = context;
	xa_init_flags(&objects->xa, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	init_waitqueue_head(&objects->borrowed);
}

/**
 * iofd_object_new - take an ID for an object that is being built
 * @objects: ID table
 * @obj: object, embedded at offset 0 of a kmalloc'ed structure
 * @type: its type
 *
 * The ID answers ENOENT until iofd_object_publish().  On failure the caller
 * still owns the memory.
 *
 * Return: 0; -ENOMEM; -EBUSY with 2^31 - 1 objects.
 */
int iofd_object_new(struct iofd_objects *objects, struct iommufd_object *obj,
		    enum iommufd_object_type type)
{
	obj->type = type;
	refcount_set(&obj->users, 1);
	refcount_set(&obj->wait_cnt, 1);
	return xa_alloc(&objects->xa, &obj->id, NULL, xa_limit_31b,
			GFP_KERNEL_ACCOUNT);
}

/**
 * iofd_object_cancel - give up an object that was never published
 * @objects: ID table
 * @obj: object; its memory is freed, what else it owns is the caller's to undo
 */
void iofd_object_cancel(struct iofd_objects *objects,
			struct iommufd_object *obj)
{
	xa_erase(&objects->xa, obj->id);
	kfree(obj);
}

/**
 * iofd_object_publish - NEW to LIVE
 * @objects: ID table
 * @obj: object, complete; from here on others may use and destroy it
 *
 * The slot exists since iofd_object_new(), so this allocates nothing
 * and may be called under a spinlock.
 */
void iofd_object_publish(struct iofd_objects *objects,
			 struct iommufd_object *obj)
{
	void *old;

	/* After the store it is the user's to destroy. */
	trace_iommufd_object_create(objects->context, obj->id,
				    iofd_object_types[obj->type]->name);
	old = xa_store(&objects->xa, obj->id, obj, 0);
	iofd_check(!xa_is_err(old));
}

/**
 * iofd_object_borrow - look up an ID for the time of an ioctl
 * @objects: ID table
 * @id: ID from user space
 * @type: what it has to be, or IOMMUFD_OBJ_ANY
 *
 * Return: the object, to be given to iofd_object_return(); ERR_PTR(-ENOENT) if
 * there is none of this type.
 */
struct iommufd_object *iofd_object_borrow(struct iofd_objects *objects, u32 id,
					  enum iommufd_object_type type)
{
	struct iommufd_object *obj;

	if (iofd_fault())
		return ERR_PTR(-ENOENT);

	xa_lock(&objects->xa);
	obj = xa_load(&objects->xa, id);
	if (!obj || (type != IOMMUFD_OBJ_ANY && obj->type != type))
		obj = ERR_PTR(-ENOENT);
	else
		refcount_inc(&obj->wait_cnt);
	xa_unlock(&objects->xa);
	return obj;
}

/**
 * iofd_object_borrow_next - look for the next object of a type
 * @objects: ID table
 * @id: in: ID behind which to look, 0 to begin; out: ID of what was found
 * @type: what it has to be
 *
 * Return: the LIVE object with the lowest ID above @id, to be given to
 * iofd_object_return(); NULL if there is no more.
 */
struct iommufd_object *iofd_object_borrow_next(struct iofd_objects *objects,
					       unsigned long *id,
					       enum iommufd_object_type type)
{
	struct iommufd_object *obj;

	xa_lock(&objects->xa);
	do {
		obj = xa_find_after(&objects->xa, id, ULONG_MAX, XA_PRESENT);
	} while (obj && obj->type != type);
	if (obj)
		refcount_inc(&obj->wait_cnt);
	xa_unlock(&objects->xa);
	return obj;
}

void iofd_object_return(struct iofd_objects *objects,
			struct iommufd_object *obj)
{
	/* A closer may free @obj as soon as it sees the count at zero. */
	if (refcount_dec_and_test(&obj->wait_cnt))
		wake_up_all(&objects->borrowed);
}

/* LIVE to CLOSING, if nobody depends on the object. */
static int object_close(struct iofd_objects *objects,
			struct iommufd_object *obj)
{
	lockdep_assert_held(&objects->xa.xa_lock);

	if (!refcount_dec_if_one(&obj->users))
		return -EBUSY;
	/* Replaces an entry in place: allocates nothing. */
	__xa_store(&objects->xa, obj->id, XA_ZERO_ENTRY, 0);
	return 0;
}

/* CLOSING to LIVE: borrowers did not come back in time. */
static void object_reopen(struct iofd_objects *objects,
			  struct iommufd_object *obj)
{
	lockdep_assert_held(&objects->xa.xa_lock);

	refcount_set(&obj->users, 1);
	__xa_store(&objects->xa, obj->id, obj, 0);
}

/* End a CLOSING object; its ID is the caller's to free. */
static void object_end(struct iofd_objects *objects,
		       struct iommufd_object *obj)
{
	iofd_check(!refcount_read(&obj->users));
	iofd_check(!refcount_read(&obj->wait_cnt));
	iofd_object_types[obj->type]->destroy(obj);
	trace_iommufd_object_destroy(objects->context, obj->id,
				     iofd_object_types[obj->type]->name);
	kfree(obj);
}

/* CLOSING to gone. */
static void object_finish(struct iofd_objects *objects,
			  struct iommufd_object *obj)
{
	unsigned int id = obj->id;

	object_end(objects, obj);
	xa_erase(&objects->xa, id);
}

/* Wait until every borrow of a CLOSING object is back. */
static int object_drain(struct iofd_objects *objects,
			struct iommufd_object *obj)
{
	if (!refcount_dec_and_test(&obj->wait_cnt) &&
	    !wait_event_timeout(objects->borrowed,
				!refcount_read(&obj->wait_cnt),
				IOFD_DESTROY_TIMEOUT)) {
		xa_lock(&objects->xa);
		/* The last borrower may have come back just now. */
		if (refcount_inc_not_zero(&obj->wait_cnt)) {
			object_reopen(objects, obj);
			xa_unlock(&objects->xa);
			pr_crit("iommufd: %s %u is still in use after %u s; not destroyed\n",
				iofd_object_types[obj->type]->name, obj->id,
				IOFD_DESTROY_TIMEOUT / HZ);
			return -EBUSY;
		}
		xa_unlock(&objects->xa);
	}
	return 0;
}

/**
 * iofd_object_destroy_id - IOMMU_DESTROY
 * @objects: ID table
 * @id: ID from user space
 *
 * Return: 0 when everything the object owned is released and the ID is free;
 * -ENOENT if there is no such object; -EBUSY if others depend on it, or if an
 * ioctl kept using it for a minute (the object then stays as it was).
 */
int iofd_object_destroy_id(struct iofd_objects *objects, u32 id)
{
	struct iommufd_object *obj;
	int rc;

	if (iofd_fault())
		return -ENOENT;

	xa_lock(&objects->xa);
	obj = xa_load(&objects->xa, id);
	rc = obj ? object_close(objects, obj) : -ENOENT;
	xa_unlock(&objects->xa);
	if (!rc)
		rc = object_drain(objects, obj);
	if (!rc)
		object_finish(objects, obj);
	return rc;
}

/**
 * iofd_object_destroy - end an object by its kernel owner
 * @objects: ID table
 * @obj: a LIVE object on which the caller holds one ref, which is consumed
 *
 * Somebody who still depends on the object, or does not stop using it, has a
 * bug: it is warned about, and the object stays until the context is closed.
 */
void iofd_object_destroy(struct iofd_objects *objects,
			 struct iommufd_object *obj)
{
	int rc;

	/* In one step, or IOMMU_DESTROY could come between. */
	xa_lock(&objects->xa);
	refcount_dec(&obj->users);
	rc = object_close(objects, obj);
	xa_unlock(&objects->xa);
	if (!rc)
		rc = object_drain(objects, obj);
	if (!WARN_ON(rc))
		object_finish(objects, obj);
}

/**
 * iofd_object_unref_last - drop a ref, and the object with its last user
 * @objects: ID table
 * @obj: object that lives only as long as somebody depends on it
 *
 * An ioctl that uses the object at this moment makes it survive: it is then an
 * ordinary object that waits for IOMMU_DESTROY or the end of the context.
 */
void iofd_object_unref_last(struct iofd_objects *objects,
			    struct iommufd_object *obj)
{
	bool last;

	xa_lock(&objects->xa);
	refcount_dec(&obj->users);
	/* Borrows are only added under this lock. */
	last = refcount_read(&obj->wait_cnt) == 1 &&
	       !object_close(objects, obj);
	xa_unlock(&objects->xa);
	if (!last)
		return;
	refcount_set(&obj->wait_cnt, 0);
	object_finish(objects, obj);
}

/**
 * iofd_object_ref_live - depend on an object that may be in any state
 * @objects: ID table
 * @obj: object whose memory the caller keeps from going away
 *
 * Unlike iofd_object_ref() it also refuses a NEW object, whose maker may still
 * give it up.  May be called under a spinlock.
 *
 * Return: true, and the caller has a ref, if @obj is LIVE.
 */
bool iofd_object_ref_live(struct iofd_objects *objects,
			  struct iommufd_object *obj)
{
	bool live;

	xa_lock(&objects->xa);
	live = xa_load(&objects->xa, obj->id) == obj;
	if (live)
		refcount_inc(&obj->users);
	xa_unlock(&objects->xa);
	return live;
}

/**
 * iofd_object_close - begin to end an object that the kernel wants to go
 * @objects: ID table
 * @obj: published object on which nobody depends; the caller keeps its memory
 *       from going away
 *
 * Return: true, and the object is the caller's, for iofd_object_entomb(); false
 * if a DESTROY was faster and ends it.
 */
bool iofd_object_close(struct iofd_objects *objects, struct iommufd_object *obj)
{
	bool closed = false;

	xa_lock(&objects->xa);
	if (xa_load(&objects->xa, obj->id) == obj)
		closed = !WARN_ON(object_close(objects, obj));
	xa_unlock(&objects->xa);
	return closed;
}

/**
 * iofd_object_entomb - end an object and keep its ID taken
 * @objects: ID table
 * @obj: object that iofd_object_close() has given to the caller
 *
 * Waits for ioctls that use it, up to a minute.  Until the context ends the ID
 * answers ENOENT and is given to nobody.
 */
void iofd_object_entomb(struct iofd_objects *objects,
			struct iommufd_object *obj)
{
	if (WARN_ON(object_drain(objects, obj)))
		return;
	object_end(objects, obj);
	xa_lock(&objects->xa);
	objects->tombs++;
	xa_unlock(&objects->xa);
}

/**
 * iofd_objects_empty - has the context no object and no reserved ID?
 * @objects: ID table
 *
 * Return: true if so.
 */
bool iofd_objects_empty(struct iofd_objects *objects)
{
	return xa_empty(&objects->xa);
}

/*
 * How many IDs are taken, with or without an object.  0 is none: the xarray may
 * keep an entry there that says so.
 */
static unsigned long count_ids(struct iofd_objects *objects)
{
	XA_STATE(xas, &objects->xa, 1);
	unsigned long n = 0;
	void *entry;

	xa_lock(&objects->xa);
	xas_for_each(&xas, entry, ULONG_MAX)
		n++;
	xa_unlock(&objects->xa);
	return n;
}

/**
 * iofd_objects_count - how many objects there are
 * @objects: ID table
 *
 * Return: number of LIVE objects.
 */
unsigned long iofd_objects_count(struct iofd_objects *objects)
{
	unsigned long id, nr = 0;
	void *entry;

	xa_for_each(&objects->xa, id, entry) {
		nr++;
		cond_resched();
	}
	return nr;
}

/* Tell of the first LIVE object behind @id; false: there is none. */
static bool show_next(struct iofd_objects *objects, struct seq_file *m,
		      unsigned long *id)
{
	const struct iofd_object_type *type;
	struct iommufd_object *obj;

	guard(spinlock)(&objects->xa.xa_lock);
	obj = xa_find_after(&objects->xa, id, ULONG_MAX, XA_PRESENT);
	if (!obj)
		return false;
	type = iofd_object_types[obj->type];
	if (type->show) {
		type->show(m, obj);
	} else {
		seq_printf(m, "iommufd-object:\tid=%u type=", obj->id);
		seq_escape(m, type->name, " ");
		seq_putc(m, '\n');
	}
	return true;
}

/**
 * iofd_objects_show - a line for each LIVE object
 * @objects: ID table
 * @m: where to
 * @limit: most lines
 *
 * The table's lock, held for one line at a time, keeps an object from being
 * ended: that begins with taking its entry out.  It is not borrowed, since an
 * automatic page table survives its last user if it is borrowed just then, and
 * looking must not change anything.
 */
void iofd_objects_show(struct iofd_objects *objects, struct seq_file *m,
		       unsigned long limit)
{
	unsigned long id = 0;

	while (limit-- && !seq_has_overflowed(m) && show_next(objects, m, &id))
		cond_resched();
}

/**
 * iofd_objects_fini - end all objects, those nobody depends on first
 * @objects: ID table; no ioctl runs and none will
 */
void iofd_objects_fini(struct iofd_objects *objects)
{
	struct iommufd_object *obj;
	unsigned long id;
	bool progress;

	do {
		progress = false;
		xa_for_each(&objects->xa, id, obj) {
			xa_lock(&objects->xa);
			/* Ending one object may have ended others. */
			if (xa_load(&objects->xa, id) != obj ||
			    object_close(objects, obj)) {
				xa_unlock(&objects->xa);
				continue;
			}
			xa_unlock(&objects->xa);
			WARN_ON(!refcount_dec_and_test(&obj->wait_cnt));
			object_finish(objects, obj);
			progress = true;
		}
	} while (progress);

	WARN_ON(count_ids(objects) != objects->tombs);
	xa_destroy(&objects->xa);
}
