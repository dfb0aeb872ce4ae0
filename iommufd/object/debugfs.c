// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: debugfs
 *
 * Two files for root in the folder iommufd/ of debugfs::
 *
 *   contexts   a line for each open of the node: its number, who opened it
 *   areas      a line for each area of each IOAS of each context
 *
 * Contexts are in a list, in the order of their numbers.  A reader goes by a
 * cursor, (context, IOAS, IOVA) of the line that comes next, and looks up anew
 * what is there now: between two lines it has no lock, between two reads of the
 * file no reference.  So it may miss what moves while it reads, but a table of
 * a million areas can be read while it is used.
 *
 * Locking: contexts_lock, a leaf, guards the list.  A reader takes a reference
 * on the file of the context it is at, unless that is being released, and
 * borrows the IOAS.
 */
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>

#include "base/check.h"
#include "object/ctx.h"
#include "object/debugfs.h"
#include "object/ioas.h"

/**
 * struct reader - where one open of a file is
 * @context: cursor: the first context that may be meant
 * @ioas: cursor: the first IOAS in it
 * @iova: cursor: the first IOVA in it
 * @ictx: context the cursor is at, referenced, or NULL
 * @in: IOAS the cursor is at, borrowed, or NULL
 * @area: the area that is found
 */
struct reader {
	u64 context;
	unsigned long ioas;
	unsigned long iova;
	struct iommufd_ctx *ictx;
	struct iofd_ioas *in;
	struct iofd_area_look area;
};

static LIST_HEAD(contexts);
static DEFINE_MUTEX(contexts_lock);
static struct dentry *folder;

/**
 * iofd_debugfs_add - a context comes
 * @ictx: context, newest of all or nearly so
 */
void iofd_debugfs_add(struct iommufd_ctx *ictx)
{
	struct iommufd_ctx *other;

	guard(mutex)(&contexts_lock);
	/* Of two that are opened at once the second may be first here. */
	list_for_each_entry_reverse(other, &contexts, link)
		if (other->serial < ictx->serial)
			break;
	list_add(&ictx->link, &other->link);
}

/**
 * iofd_debugfs_remove - a context goes
 * @ictx: context whose file is being released; no reader is at it nor will be
 */
void iofd_debugfs_remove(struct iommufd_ctx *ictx)
{
	guard(mutex)(&contexts_lock);
	list_del(&ictx->link);
}

/* The first context from the cursor on whose file is open, with a reference. */
static struct iommufd_ctx *get_context(u64 from)
{
	struct iommufd_ctx *ictx;

	guard(mutex)(&contexts_lock);
	list_for_each_entry(ictx, &contexts, link)
		if (ictx->serial >= from && get_file_active(&ictx->file))
			return ictx;
	return NULL;
}

/*
 * Not iommufd_ctx_put(): to a VFIO container a reader is not somebody whose
 * going matters.
 */
static void put_context(struct reader *reader)
{
	if (reader->ictx)
		fput(reader->ictx->file);
	reader->ictx = NULL;
}

static void put_ioas(struct reader *reader)
{
	if (reader->in)
		iofd_ioas_return(reader->in);
	reader->in = NULL;
}

/* Bring the cursor to the next context; false: there is none. */
static bool seek_context(struct reader *reader)
{
	if (reader->ictx)
		return true;
	reader->ictx = get_context(reader->context);
	if (!reader->ictx)
		return false;
	if (reader->ictx->serial != reader->context) {
		reader->context = reader->ictx->serial;
		reader->ioas = 0;
		reader->iova = 0;
	}
	return true;
}

/* Bring it to the next IOAS of its context; false: there is none. */
static bool seek_ioas(struct reader *reader)
{
	unsigned long id = reader->ioas ? reader->ioas - 1 : 0;
	struct iommufd_object *obj;

	if (reader->in)
		return true;
	obj = iofd_object_borrow_next(&reader->ictx->objects, &id,
				      IOMMUFD_OBJ_IOAS);
	if (!obj)
		return false;
	reader->in = iofd_ioas_of(obj);
	if (id != reader->ioas) {
		reader->ioas = id;
		reader->iova = 0;
	}
	return true;
}

static void leave_context(struct reader *reader)
{
	put_context(reader);
	reader->context++;
	reader->ioas = 0;
	reader->iova = 0;
}

static void leave_ioas(struct reader *reader)
{
	put_ioas(reader);
	reader->ioas++;
	reader->iova = 0;
}

/* The area at the cursor or behind it. */
static void *seek_area(struct reader *reader)
{
	int rc;

	while (seek_context(reader)) {
		if (!seek_ioas(reader)) {
			leave_context(reader);
			continue;
		}
		rc = iofd_aspace_look_area(&reader->in->aspace, reader->iova,
					   &reader->area);
		if (rc < 0)
			return ERR_PTR(rc);
		if (rc) {
			reader->iova = reader->area.range.first;
			return reader;
		}
		leave_ioas(reader);
	}
	return NULL;
}

/* seq_file asks for one line after the other, or for all of them again. */
static void begin(struct reader *reader, loff_t index)
{
	if (!index)
		*reader = (struct reader){};
}

static void *areas_start(struct seq_file *m, loff_t *index)
{
	struct reader *reader = m->private;

	begin(reader, *index);
	return seek_area(reader);
}

static void *areas_next(struct seq_file *m, void *v, loff_t *index)
{
	struct reader *reader = m->private;

	++*index;
	if (reader->area.range.last == ULONG_MAX)
		leave_ioas(reader);
	else
		reader->iova = reader->area.range.last + 1;
	return seek_area(reader);
}

static void reader_stop(struct seq_file *m, void *v)
{
	struct reader *reader = m->private;

	put_ioas(reader);
	put_context(reader);
}

static int areas_show(struct seq_file *m, void *v)
{
	struct reader *reader = v;
	struct iofd_area_look *area = &reader->area;

	seq_printf(m, "context=%llu ioas=%lu iova=0x%lx-0x%lx state=%s prot=%s%s backing=%s addr=0x%lx pins=%d%s\n",
		   reader->context, reader->ioas, area->range.first,
		   area->range.last, area->state,
		   area->prot & IOMMU_READ ? "r" : "-",
		   area->prot & IOMMU_WRITE ? "w" : "-", area->backing,
		   area->addr, area->pins, area->orphan ? " orphan" : "");
	return 0;
}

static const struct seq_operations areas_sops = {
	.start = areas_start,
	.next = areas_next,
	.stop = reader_stop,
	.show = areas_show,
};

static void *contexts_start(struct seq_file *m, loff_t *index)
{
	struct reader *reader = m->private;

	begin(reader, *index);
	return seek_context(reader) ? reader : NULL;
}

static void *contexts_next(struct seq_file *m, void *v, loff_t *index)
{
	struct reader *reader = m->private;

	++*index;
	leave_context(reader);
	return seek_context(reader) ? reader : NULL;
}

static int contexts_show(struct seq_file *m, void *v)
{
	struct reader *reader = v;
	struct iommufd_ctx *ictx = reader->ictx;

	seq_printf(m, "context=%llu node=%s pid=%d comm=", ictx->serial,
		   iofd_ctx_is_container(ictx) ? "vfio" : "iommu",
		   ictx->opener);
	seq_escape(m, ictx->opener_comm, " \t\n\\");
	seq_printf(m, " mode=%s pinned=%llu objects=%lu\n",
		   iofd_charge_mode_names[READ_ONCE(ictx->account.mode)],
		   iofd_ctx_pinned_bytes(ictx),
		   iofd_objects_count(&ictx->objects));
	return 0;
}

static const struct seq_operations contexts_sops = {
	.start = contexts_start,
	.next = contexts_next,
	.stop = reader_stop,
	.show = contexts_show,
};

static int areas_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &areas_sops, sizeof(struct reader));
}

static int contexts_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &contexts_sops, sizeof(struct reader));
}

static const struct file_operations areas_fops = {
	.owner = THIS_MODULE,
	.open = areas_open,
	.read = seq_read,
	.release = seq_release_private,
};

static const struct file_operations contexts_fops = {
	.owner = THIS_MODULE,
	.open = contexts_open,
	.read = seq_read,
	.release = seq_release_private,
};

/**
 * iofd_debugfs_init - make the files
 *
 * Without them the driver works all the same, so nothing is reported.
 */
void iofd_debugfs_init(void)
{
	folder = debugfs_create_dir("iommufd", NULL);
	debugfs_create_file("contexts", 0400, folder, NULL, &contexts_fops);
	debugfs_create_file("areas", 0400, folder, NULL, &areas_fops);
}

/**
 * iofd_debugfs_exit - undo iofd_debugfs_init()
 */
void iofd_debugfs_exit(void)
{
	debugfs_remove(folder);
}
