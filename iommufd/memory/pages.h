/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page sets: memory that can be pinned, from one source, with one payer.
 *
 * A page set is made by a map call and shared by every area that was copied
 * from that mapping.  A byte counts from the set's first byte, an index counts
 * PAGE_SIZE units from the page in which that byte lies.
 */
#ifndef IOFD_MEMORY_PAGES_H
#define IOFD_MEMORY_PAGES_H

#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "base/range.h"
#include "base/runs.h"
#include "memory/charge.h"
#include "memory/source.h"

/**
 * struct iofd_hold - "this slice stays pinned"
 * @node: link in the page set's tree, by index; private to pages.c
 * @pin: made by iofd_pages_pin(), which finds it again by its indices
 */
struct iofd_hold {
	struct interval_tree_node node;
	bool pin;
};

/**
 * struct iofd_pages_room - memory for what maps the set first
 * @words: zeroed, nobody's
 *
 * Most page sets are mapped by one area and never copied: it costs less to
 * allocate both at once.  A source that expects that has a room behind its page
 * set; whoever uses it has a reference to the set as long as it does.
 */
struct iofd_pages_room {
	unsigned long words[20];
};

/**
 * struct iofd_pages - a page set
 * @kref: areas and in-progress copies that use the set
 * @prot: IOMMU_* bits that every mapping of this memory needs
 * @writable: pages are pinned for writing
 * @lock: guards @holds, @runs, @bill, @successor and pinning; taken in pages.c
 *        only
 * @holds: all holds, by index
 * @runs: page frames of the indices that are covered by a hold
 * @bill: who is charged, for all indices that a hold covers; device memory has
 *        no payer
 * @successor: who is charged too, and is to be the payer; NULL but for the time
 *             of a change
 * @source: where the pages come from
 * @addr: address, or offset in the file, of byte 0; any alignment
 * @length: bytes in the set
 */
struct iofd_pages {
	struct kref kref;
	u16 prot;
	bool writable;
	struct mutex lock; /* guards the next four */
	struct rb_root_cached holds;
	struct iofd_runs runs;
	struct iofd_bill bill;
	struct iofd_successor *successor;
	const struct iofd_pages_source *source;
	unsigned long addr;
	unsigned long length;
};

/**
 * struct iofd_pin_scratch - memory that pinning needs for the time of a call
 * @pages: room for page pointers
 * @folios: the same room, for folio pointers
 * @pfns: the same room, for page frame numbers
 * @nr: number of slots
 * @small: used instead of an allocation for small slices
 */
struct iofd_pin_scratch {
	union {
		struct page **pages;
		struct folio **folios;
		unsigned long *pfns;
	};
	unsigned long nr;
	unsigned long small[32];
};

void iofd_pages_init(struct iofd_pages *pages,
		     const struct iofd_pages_source *source,
		     unsigned long addr, unsigned long length, bool writable,
		     struct iofd_payer *payer);
void iofd_pages_put(struct iofd_pages *pages);
static inline struct iofd_pages *iofd_pages_get(struct iofd_pages *pages)
{
	kref_get(&pages->kref);
	return pages;
}

int iofd_pages_hold(struct iofd_pages *pages, struct iofd_hold *hold,
		    struct iofd_range index);
void iofd_pages_release(struct iofd_pages *pages, struct iofd_hold *hold);

void iofd_pages_split_hold(struct iofd_pages *pages, struct iofd_hold *left,
			   struct iofd_hold *right, unsigned long byte);

int iofd_pages_pin(struct iofd_pages *pages, unsigned long byte,
		   unsigned long length, struct page **out);
void iofd_pages_unpin(struct iofd_pages *pages, unsigned long byte,
		      unsigned long length);
int iofd_pages_peek_locked(struct iofd_pages *pages, unsigned long index,
			   unsigned long *pfn);

bool iofd_pages_can_change_payer(struct iofd_pages *pages);
int iofd_pages_prepare_payer(struct iofd_pages *pages);
void iofd_pages_commit_payer(struct iofd_pages *pages);
void iofd_pages_cancel_payer(struct iofd_pages *pages);

/* The room of the set, which one user may have once; NULL if there is none. */
static inline struct iofd_pages_room *iofd_pages_room(struct iofd_pages *pages)
{
	if (!pages->source->room)
		return NULL;
	return (void *)pages + pages->source->room;
}

/* The index in which byte @byte of the set lies. */
static inline unsigned long iofd_pages_index(const struct iofd_pages *pages,
					     unsigned long byte)
{
	return (offset_in_page(pages->addr) + byte) >> PAGE_SHIFT;
}

/* Number of indices. */
static inline unsigned long iofd_pages_nr(const struct iofd_pages *pages)
{
	return iofd_pages_index(pages, pages->length - 1) + 1;
}

static inline unsigned int iofd_pages_page_offset(const struct iofd_pages *pages,
						  unsigned long byte)
{
	return offset_in_page(pages->addr + byte);
}

/* The indices that bytes [@byte, @byte + @length) touch; @length is not 0. */
static inline struct iofd_range
iofd_pages_indices(const struct iofd_pages *pages, unsigned long byte,
		   unsigned long length)
{
	return (struct iofd_range){
		iofd_pages_index(pages, byte),
		iofd_pages_index(pages, byte + length - 1),
	};
}

typedef int (*iofd_run_fn)(const struct iofd_run *run, void *arg);
int iofd_pages_walk(struct iofd_pages *pages, struct iofd_range index,
		    iofd_run_fn fn, void *arg);

/* Sources */
int iofd_user_pages_init(void);
void iofd_user_pages_exit(void);
int iofd_file_pages_init(void);
void iofd_file_pages_exit(void);

struct iofd_pages *iofd_user_pages_create(unsigned long uptr,
					  unsigned long length, bool writable,
					  struct iofd_account *account);

int iofd_user_pages_move(struct iofd_pages *pages, unsigned long uptr);

struct iofd_pages *iofd_file_pages_create(struct file *file,
					  unsigned long start,
					  unsigned long length, bool writable,
					  struct iofd_account *account);

/* For sources whose memory has pages: their unpin. */
void iofd_unpin_pages(struct iofd_pages *pages, unsigned long pfn,
		      unsigned long npages);

/* The cap on a call's temporary memory, in bytes; tests lower it. */
extern unsigned int iofd_pin_scratch_limit;
#define IOFD_PIN_SCRATCH_DEFAULT 4096

#endif
