/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects: what user space can name by an ID.
 *
 * This room knows IDs, counts, states and teardown; it knows no concrete
 * type.  A type is described by struct iofd_object_type, and the table of all
 * types is the roof's (main.c).
 *
 *      new            publish            close              destroy
 *   --------> NEW -------------> LIVE -----------> CLOSING ---------> gone
 *              |  cancel          ^                   |    entomb
 *              +--------> gone    +-------------------+---------> TOMB
 *                                     still borrowed
 *
 * NEW: the ID is taken but answers ENOENT.  LIVE: lookups succeed.  CLOSING:
 * the ID is still taken, answers ENOENT, and the closer waits for borrowers.
 * TOMB: the object is gone, its ID stays taken until the context ends: the
 * kernel ended it, and user space must not take a later object for it.
 *
 * Two counts, both in struct iommufd_object because IOMMU drivers embed it:
 *
 *   refs     @users.  Other objects depend on this one; one count belongs to
 *            the ID table itself.  More than that: DESTROY answers EBUSY.
 *   borrows  @wait_cnt.  An ioctl is using the object.  DESTROY waits.  One
 *            count belongs to the ID table itself.
 *
 * A ref is only ever taken from a LIVE object or from one that is already
 * kept alive by a ref, so closing, which takes the table's own ref with
 * "if nobody else has one", is final for refs at once.
 *
 * Locking: the ID table's own xa_lock, a leaf.
 */
#ifndef IOFD_OBJECT_OBJECT_H
#define IOFD_OBJECT_OBJECT_H

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/iommufd.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct seq_file;

/**
 * struct iofd_objects - the ID table of one context
 * @context: number of the context, for traces
 * @xa: ID to object; XA_ZERO_ENTRY is an ID that is taken but answers nobody
 * @borrowed: woken when the last borrow of a closing object is returned
 * @tombs: IDs that stay taken though their object is gone; xa_lock
 */
struct iofd_objects {
	u64 context;
	struct xarray xa;
	wait_queue_head_t borrowed;
	unsigned long tombs;
};

/**
 * struct iofd_object_type - what the object room has to know about a type
 * @name: for messages
 * @destroy: release everything the object owns except its own memory.  The
 *           object is invisible, nobody refers to it and nobody borrows it.
 *           Process context, may sleep, cannot fail.
 * @show: optional: a line that tells people about the object, which is LIVE.
 *        Under the ID table's lock: must not sleep, and changes nothing
 *
 * An object that only the kernel may end (a bound device, an access) has a ref
 * held by its kernel owner for its whole life, so DESTROY answers EBUSY.
 */
struct iofd_object_type {
	const char *name;
	void (*destroy)(struct iommufd_object *obj);
	void (*show)(struct seq_file *m, struct iommufd_object *obj);
};

/* Defined by the roof, indexed by enum iommufd_object_type. */
extern const struct iofd_object_type *const iofd_object_types[IOMMUFD_OBJ_MAX];

void iofd_objects_init(struct iofd_objects *objects, u64 context);
void iofd_objects_fini(struct iofd_objects *objects);
bool iofd_objects_empty(struct iofd_objects *objects);
unsigned long iofd_objects_count(struct iofd_objects *objects);
void iofd_objects_show(struct iofd_objects *objects, struct seq_file *m,
		       unsigned long limit);

int iofd_object_new(struct iofd_objects *objects, struct iommufd_object *obj,
		    enum iommufd_object_type type);
void iofd_object_cancel(struct iofd_objects *objects,
			struct iommufd_object *obj);
void iofd_object_publish(struct iofd_objects *objects,
			 struct iommufd_object *obj);

struct iommufd_object *iofd_object_borrow(struct iofd_objects *objects, u32 id,
					  enum iommufd_object_type type);
struct iommufd_object *iofd_object_borrow_next(struct iofd_objects *objects,
					       unsigned long *id,
					       enum iommufd_object_type type);
void iofd_object_return(struct iofd_objects *objects,
			struct iommufd_object *obj);

int iofd_object_destroy_id(struct iofd_objects *objects, u32 id);
void iofd_object_destroy(struct iofd_objects *objects,
			 struct iommufd_object *obj);
void iofd_object_unref_last(struct iofd_objects *objects,
			    struct iommufd_object *obj);
bool iofd_object_ref_live(struct iofd_objects *objects,
			  struct iommufd_object *obj);
bool iofd_object_close(struct iofd_objects *objects,
		       struct iommufd_object *obj);
void iofd_object_entomb(struct iofd_objects *objects,
			struct iommufd_object *obj);

/**
 * iofd_object_ref - depend on an object that is borrowed or already referenced
 * @obj: object
 *
 * Return: true; false if a DESTROY has begun, which the caller reports as if
 * it had come a moment later (-ENOENT).
 */
static inline bool __must_check iofd_object_ref(struct iommufd_object *obj)
{
	return refcount_inc_not_zero(&obj->users);
}

/* Another ref, taken from one that the caller knows to be held. */
static inline void iofd_object_ref_more(struct iommufd_object *obj)
{
	refcount_inc(&obj->users);
}

static inline void iofd_object_unref(struct iommufd_object *obj)
{
	refcount_dec(&obj->users);
}

#endif
