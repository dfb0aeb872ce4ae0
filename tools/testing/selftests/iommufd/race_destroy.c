// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_DESTROY against every use, for each kind of object: one thread makes an
 * object and destroys it, over and over, and others do with its ID all that can
 * be done with one of its kind. Who is too late is told that there is none;
 * what a use has made holds the object or was not made. In the end there are as
 * many objects as in the beginning, and no pin.
 *
 * IDs are given out again at once, so a use may also meet something else.
 */
#include "pt.h"

#define USERS 2
#define USES 12
#define DIRTY (IOMMU_HWPT_ALLOC_DIRTY_TRACKING | IOMMU_HWPT_ALLOC_PASID)

struct world;

/* What one thread has for itself */
struct worker {
	struct world *world;
	uint32_t stdev, idev;
	/* The object that is used just now */
	uint32_t id;
	unsigned int nr;
	unsigned long done, refused;
	const char *where;
	int wrong;
	pthread_t thread;
};

/* What all have in common */
struct world {
	int fd, memfd;
	uint32_t ioas, hwpt, parent, viommu, vdev, maker_stdev, maker_idev;
	/* The object of the moment, and a second ID or a file it comes with */
	uint32_t id;
	int file;
	uint64_t offset;
	char *buf;
	bool stop;
	unsigned long made;
};

typedef int (*make_t)(struct world *w);
typedef int (*use_t)(struct worker *u);

struct use {
	const char *name;
	use_t fn;
};

static uint32_t now(struct world *w)
{
	return __atomic_load_n(&w->id, __ATOMIC_ACQUIRE);
}

/*
 * An object of the caller's goes. Another user may hold it for a moment, by an
 * ID that meant something else before.
 */
static int drop(int fd, uint32_t id)
{
	double end = t_seconds() + 30;
	int err;

	do {
		err = t_destroy(fd, id);
		if (err == EBUSY)
			usleep(100);
	} while (err == EBUSY && t_seconds() < end);
	/* Gone is what was made on a device that has gone. */
	return err == ENOENT ? 0 : err;
}

/* @id: of what was made, unless that failed */
static int drop_if(int err, int fd, const uint32_t *id)
{
	return err ?: drop(fd, *id);
}

/* Where a worker maps what it maps */
static uint64_t base_of(struct worker *u)
{
	return T_BASE + (u->nr + 1) * T_PMD;
}

/* Uses of an address space */

static int use_map(struct worker *u)
{
	return t_map_at(u->world->fd, u->id, u->world->buf, T_PAGE, base_of(u));
}

static int use_map_file(struct worker *u)
{
	return t_map_file_at(u->world->fd, u->id, u->world->memfd, 0, T_PAGE,
			     base_of(u) + T_PAGE);
}

static int use_unmap(struct worker *u)
{
	return t_unmap(u->world->fd, u->id, base_of(u), 4 * T_PAGE, NULL);
}

static int use_copy_from(struct worker *u)
{
	uint64_t iova;

	/* Where it goes to, that is the caller's to remove. */
	return t_copy(u->world->fd, u->world->ioas, u->id, base_of(u), T_PAGE,
		      &iova, T_RW) ?:
	       t_unmap(u->world->fd, u->world->ioas, iova, T_PAGE, NULL);
}

static int use_copy_to(struct worker *u)
{
	return t_copy_at(u->world->fd, u->id, u->world->ioas, T_BASE, T_PAGE,
			 base_of(u) + 2 * T_PAGE);
}

static int use_ranges(struct worker *u)
{
	struct iommu_iova_range ranges[8];
	uint32_t num = 8;

	return t_iova_ranges(u->world->fd, u->id, ranges, &num, NULL);
}

static int use_allow(struct worker *u)
{
	struct iommu_iova_range range = { T_BASE, MOCK_APERTURE_LAST };

	return t_allow_iovas(u->world->fd, u->id, &range, u->done % 2);
}

static int use_option(struct worker *u)
{
	return t_huge_pages(u->world->fd, u->id, u->done % 2);
}

static int use_vfio_ioas(struct worker *u)
{
	return t_vfio_ioas(u->world->fd, IOMMU_VFIO_IOAS_SET, &u->id);
}

static int use_access(struct worker *u)
{
	int access, err;

	err = t_create_access(u->world->fd, u->id, 1, &access);
	if (err)
		return err;
	t_access_replace(u->world->fd, access, u->world->ioas);
	t_access_replace(u->world->fd, access, u->id);
	return close(access) ? errno : 0;
}

/* Uses of what a device can be attached to, or a page table be made for */

static int use_hwpt(struct worker *u)
{
	uint32_t hwpt;
	int err;

	err = t_hwpt_alloc(u->world->fd, u->idev, u->id, 0, &hwpt);
	/* The device is there; what comes too late for the IOAS is EINVAL. */
	return err == ENOENT ? EPROTO : drop_if(err, u->world->fd, &hwpt);
}

static int use_attach(struct worker *u)
{
	return t_mock_replace(u->world->fd, u->stdev, u->id, NULL) ?:
	       t_mock_replace(u->world->fd, u->stdev, u->world->hwpt, NULL);
}

static int use_pasid(struct worker *u)
{
	uint32_t pt = u->id;

	return t_pasid_attach(u->world->fd, u->stdev, 5, &pt) ?:
	       t_pasid_detach(u->world->fd, u->stdev, 5);
}

/* Uses of page tables */

static int use_set_dirty(struct worker *u)
{
	return t_set_dirty(u->world->fd, u->id, u->done % 2);
}

static int use_get_dirty(struct worker *u)
{
	uint64_t bits = 0;

	return t_get_dirty(u->world->fd, u->id, 0, T_BASE, 4 * T_PAGE, T_PAGE,
			   &bits);
}

static int use_unmap_dirty(struct worker *u)
{
	uint64_t bits = 0, iova;
	int err;

	err = t_map_any(u->world->fd, u->world->ioas, u->world->buf, T_PAGE,
			&iova);
	if (err)
		return err;
	err = t_unmap_dirty(u->world->fd, u->world->ioas, u->id, iova, T_PAGE,
			    T_PAGE, &bits, NULL);
	return err ? t_unmap(u->world->fd, u->world->ioas, iova, T_PAGE, NULL) :
		     0;
}

static int use_nested(struct worker *u)
{
	uint32_t hwpt;

	return drop_if(t_nested(u->world->fd, u->idev, u->id, 0, 0, &hwpt),
		       u->world->fd, &hwpt);
}

static int use_viommu(struct worker *u)
{
	struct iommu_viommu_selftest data = {};
	uint32_t viommu;

	return drop_if(t_viommu(u->world->fd, u->idev, u->id,
				IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data),
				&viommu), u->world->fd, &viommu);
}

static int use_invalidate(struct worker *u)
{
	struct iommu_viommu_invalidate_selftest request = { .vdev_id = 3 };
	uint32_t num = 1;

	return t_invalidate(u->world->fd, u->id,
			    IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, &request,
			    sizeof(request), &num);
}

static int use_check_map(struct worker *u)
{
	return t_check_map(u->world->fd, u->id, T_BASE, T_PAGE, u->world->buf);
}

/* Uses of a fault queue */

static int use_as_fault(struct worker *u)
{
	uint32_t hwpt;
	int err;

	err = t_hwpt_full(u->world->fd, u->idev, u->world->ioas,
			  IOMMU_HWPT_FAULT_ID_VALID, u->id, IOMMU_HWPT_DATA_NONE,
			  NULL, 0, &hwpt);
	if (err)
		return err;
	if (!t_mock_replace(u->world->fd, u->stdev, hwpt, NULL)) {
		t_iopf(u->world->fd, u->idev, 0, 0);
		err = t_mock_replace(u->world->fd, u->stdev, u->world->hwpt,
				     NULL);
	}
	return err ?: drop(u->world->fd, hwpt);
}

/* Uses of a vIOMMU */

static int use_vdevice(struct worker *u)
{
	uint32_t vdev;

	return drop_if(t_vdevice(u->world->fd, u->id, u->idev, u->nr, &vdev),
		       u->world->fd, &vdev);
}

static int use_veventq(struct worker *u)
{
	uint32_t queue;
	int err, file;

	err = t_veventq(u->world->fd, u->id, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
			&queue, &file);
	if (err)
		return err;
	close(file);
	return drop(u->world->fd, queue);
}

static int use_hw_queue(struct worker *u)
{
	uint32_t queue;

	return drop_if(t_hw_queue(u->world->fd, u->id,
				  IOMMU_HW_QUEUE_TYPE_SELFTEST, 0, T_BASE,
				  T_PAGE, &queue), u->world->fd, &queue);
}

static int use_mmap(struct worker *u)
{
	uint64_t offset = __atomic_load_n(&u->world->offset, __ATOMIC_ACQUIRE);
	char *va;

	va = mmap(NULL, 2 * T_PAGE, PROT_READ, MAP_SHARED, u->world->fd,
		  offset);
	if (va == MAP_FAILED)
		return errno == ENXIO ? ENOENT : errno;
	__atomic_load_n(va, __ATOMIC_RELAXED);
	return munmap(va, 2 * T_PAGE) ? errno : 0;
}

/* Uses of a vDEVICE: the number that it stands for, and its device */

static int use_vdev_number(struct worker *u)
{
	struct iommu_viommu_invalidate_selftest request = { .vdev_id = 77 };
	uint32_t num = 1;

	return t_invalidate(u->world->fd, u->world->viommu,
			    IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST, &request,
			    sizeof(request), &num) ? ENOENT : 0;
}

static int use_vdev_taken(struct worker *u)
{
	uint32_t vdev;

	/* The number or the device is free only when it is gone. */
	return drop_if(t_vdevice(u->world->fd, u->world->viommu,
				 u->nr ? u->idev : u->world->maker_idev,
				 u->nr ? 77 : 78, &vdev), u->world->fd, &vdev);
}

static int use_vevent(struct worker *u)
{
	return t_vevent(u->world->fd, u->world->maker_idev);
}

/* Uses of a device */

static int use_hw_info(struct worker *u)
{
	struct iommu_test_hw_info data;
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.dev_id = u->id,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};

	return t_call(u->world->fd, IOMMU_GET_HW_INFO, &cmd);
}

static int use_dev_hwpt(struct worker *u)
{
	uint32_t hwpt;

	return drop_if(t_hwpt_alloc(u->world->fd, u->id, u->world->ioas, 0,
				    &hwpt), u->world->fd, &hwpt);
}

static int use_dev_viommu(struct worker *u)
{
	uint32_t viommu;

	return drop_if(t_viommu(u->world->fd, u->id, u->world->parent,
				IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0, &viommu),
		       u->world->fd, &viommu);
}

static int use_dev_vdevice(struct worker *u)
{
	uint32_t vdev;

	return drop_if(t_vdevice(u->world->fd, u->world->viommu, u->id, u->nr,
				 &vdev), u->world->fd, &vdev);
}

static int use_dev_msi(struct worker *u)
{
	uint64_t iova;

	return t_msi(u->world->fd, u->id, 0xfee00000, &iova);
}

static int use_iopf(struct worker *u)
{
	return t_iopf(u->world->fd, u->id, 0, 0);
}

static int use_fdinfo(struct worker *u)
{
	char path[64], text[4096];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", u->world->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	do {
		n = read(fd, text, sizeof(text));
	} while (n > 0);
	close(fd);
	return n < 0 ? errno : 0;
}

/* Makers */

static int make_ioas(struct world *w)
{
	return t_ioas_alloc(w->fd, &w->id);
}

static int make_hwpt(struct world *w)
{
	return t_hwpt_alloc(w->fd, w->maker_idev, w->ioas, DIRTY, &w->id);
}

static int make_parent(struct world *w)
{
	return t_hwpt_alloc(w->fd, w->maker_idev, w->ioas,
			    IOMMU_HWPT_ALLOC_NEST_PARENT, &w->id);
}

static int make_nested(struct world *w)
{
	return t_nested(w->fd, w->maker_idev, w->parent,
			IOMMU_HWPT_ALLOC_PASID, 0, &w->id);
}

static int make_nested_on_viommu(struct world *w)
{
	return t_nested(w->fd, w->maker_idev, w->viommu, 0, 0, &w->id);
}

static int make_fault(struct world *w)
{
	return t_fault_alloc(w->fd, &w->id, &w->file);
}

static int make_viommu(struct world *w)
{
	struct iommu_viommu_selftest data = {};
	uint32_t id = 0;
	int err;

	err = t_viommu(w->fd, w->maker_idev, w->parent,
		       IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data), &id);
	__atomic_store_n(&w->offset, data.out_mmap_offset, __ATOMIC_RELEASE);
	__atomic_store_n(&w->id, id, __ATOMIC_RELEASE);
	return err;
}

static int make_vdevice(struct world *w)
{
	int err = t_vdevice(w->fd, w->viommu, w->maker_idev, 77, &w->id);

	/* The users' own ones: one has the number, one the device. */
	return err == EEXIST ? -1 : err;
}

static int make_veventq(struct world *w)
{
	return t_veventq(w->fd, w->viommu, IOMMU_VEVENTQ_TYPE_SELFTEST, 2,
			 &w->id, &w->file);
}

static int make_hw_queue(struct world *w)
{
	int err = t_hw_queue(w->fd, w->viommu, IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
			     T_BASE, T_PAGE, &w->id);

	return err == EEXIST ? -1 : err;
}

static int make_device(struct world *w)
{
	uint32_t idev = 0;
	int err;

	err = t_mock_flags(w->fd, w->hwpt, MOCK_FLAGS_DEVICE_PASID |
			   MOCK_FLAGS_DEVICE_X_SW_MSI, &w->maker_stdev, NULL,
			   &idev);
	__atomic_store_n(&w->id, idev, __ATOMIC_RELEASE);
	return err;
}

FIXTURE(race_destroy)
{
	struct world world;
	struct worker worker[USERS];
};

FIXTURE_VARIANT(race_destroy)
{
	make_t make;
	/* Ended is not the object itself but the driver that bound it. */
	bool by_driver;
	struct use uses[USES];
};

#define USE(name) { #name, use_##name }

FIXTURE_VARIANT_ADD(race_destroy, ioas)
{
	.make = make_ioas,
	.uses = {
		USE(map), USE(map_file), USE(unmap), USE(copy_from),
		USE(copy_to), USE(ranges), USE(allow), USE(option),
		USE(vfio_ioas), USE(fdinfo),
	},
};

/* Those that keep an address space: it can be destroyed in between only. */
FIXTURE_VARIANT_ADD(race_destroy, ioas_that_is_held)
{
	.make = make_ioas,
	.uses = {
		USE(hwpt), USE(attach), USE(map), USE(access),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, hwpt)
{
	.make = make_hwpt,
	.uses = {
		USE(set_dirty), USE(get_dirty), USE(unmap_dirty), USE(attach),
		USE(pasid), USE(invalidate), USE(check_map), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, nest_parent)
{
	.make = make_parent,
	.uses = {
		USE(nested), USE(viommu), USE(attach),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, nested)
{
	.make = make_nested,
	.uses = {
		USE(attach), USE(pasid), USE(invalidate), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, nested_on_viommu)
{
	.make = make_nested_on_viommu,
	.uses = {
		USE(attach), USE(invalidate), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, fault_queue)
{
	.make = make_fault,
	.uses = {
		USE(as_fault), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, viommu)
{
	.make = make_viommu,
	.uses = {
		USE(nested), USE(vdevice), USE(veventq), USE(hw_queue),
		USE(invalidate), USE(mmap), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, vdevice)
{
	.make = make_vdevice,
	.uses = {
		USE(vdev_number), USE(vdev_taken), USE(vevent), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, veventq)
{
	.make = make_veventq,
	.uses = {
		USE(vevent), USE(fdinfo),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, hw_queue)
{
	.make = make_hw_queue,
	.uses = {
		USE(fdinfo), USE(vdevice), USE(nested),
	},
};

FIXTURE_VARIANT_ADD(race_destroy, device)
{
	.make = make_device,
	.by_driver = true,
	.uses = {
		USE(hw_info), USE(dev_hwpt), USE(dev_viommu), USE(dev_vdevice),
		USE(dev_msi), USE(iopf), USE(fdinfo),
	},
};

FIXTURE_SETUP(race_destroy)
{
	struct world *w = &self->world;
	unsigned int i;

	w->fd = t_open();
	ASSERT_LE(0, w->fd);
	if (!t_has_mock(w->fd))
		SKIP(return, T_NO_MOCK);
	w->file = -1;
	w->buf = t_alloc(4 * T_PAGE);
	ASSERT_NE(NULL, w->buf);
	w->memfd = t_memfd(T_PAGE);
	ASSERT_LE(0, w->memfd);
	ASSERT_EQ(0, t_ioas_alloc(w->fd, &w->ioas));
	ASSERT_EQ(0, t_map_at(w->fd, w->ioas, w->buf, 4 * T_PAGE, T_BASE));
	for (i = 0; i < USERS; i++) {
		struct worker *u = &self->worker[i];

		u->world = w;
		u->nr = i;
		ASSERT_EQ(0, t_mock_flags(w->fd, w->ioas,
					  MOCK_FLAGS_DEVICE_PASID, &u->stdev,
					  NULL, &u->idev));
	}
	ASSERT_EQ(0, t_mock_flags(w->fd, w->ioas, MOCK_FLAGS_DEVICE_PASID,
				  &w->maker_stdev, NULL, &w->maker_idev));
	/* What devices come back to goes with PASIDs. */
	ASSERT_EQ(0, t_hwpt_alloc(w->fd, w->maker_idev, w->ioas,
				  IOMMU_HWPT_ALLOC_PASID, &w->hwpt));
	for (i = 0; i < USERS; i++)
		ASSERT_EQ(0, t_mock_replace(w->fd, self->worker[i].stdev,
					    w->hwpt, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(w->fd, w->maker_idev, w->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT, &w->parent));
	ASSERT_EQ(0, t_viommu(w->fd, w->maker_idev, w->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &w->viommu));
	/* Without a number a device cannot be attached to what is made there */
	if (variant->make == make_nested_on_viommu)
		for (i = 0; i < USERS; i++)
			ASSERT_EQ(0, t_vdevice(w->fd, w->viommu,
					       self->worker[i].idev, i, NULL));
}

FIXTURE_TEARDOWN(race_destroy)
{
	struct world *w = &self->world;
	int fd;

	close(w->fd);
	close(w->memfd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, w->buf, 4 * T_PAGE, 0));
	close(fd);
}

/* For who comes too late, too early, meets another one, or a third one's ID */
static bool may_be(int err)
{
	switch (err) {
	case ENOENT:
	case EINVAL:
	case EBUSY:
	case EEXIST:
	case EOPNOTSUPP:
	case EADDRINUSE:
	case ENODEV:
	case EADDRNOTAVAIL:
		return true;
	}
	return false;
}

static const struct use *uses;

static void *work(void *arg)
{
	struct worker *u = arg;
	struct world *w = u->world;
	unsigned int i = u->nr;
	int err;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED) && !u->wrong) {
		if (i == USES || !uses[i].fn)
			i = 0;
		u->id = now(w);
		err = uses[i].fn(u);
		if (!err) {
			u->done++;
		} else if (may_be(err)) {
			u->refused++;
		} else {
			u->where = uses[i].name;
			u->wrong = err;
		}
		i++;
	}
	return NULL;
}

TEST_F(race_destroy, uses)
{
	struct world *w = &self->world;
	unsigned long busy = 0, late = 0;
	double end = t_seconds() + T_SECONDS;
	int before = t_objects(w->fd), err;
	unsigned int i;

	ASSERT_LT(0, before);
	uses = variant->uses;
	for (i = 0; i < USERS; i++)
		ASSERT_EQ(0, pthread_create(&self->worker[i].thread, NULL, work,
					    &self->worker[i]));
	while (t_seconds() < end) {
		err = variant->make(w);
		if (err < 0) {
			late++;
			continue;
		}
		ASSERT_EQ(0, err)
			TH_LOG("make: %s", strerror(err));
		w->made++;
		/* A while to be used in, from none to some */
		if (w->made % 4)
			usleep(w->made % 4 * 100);
		if (w->file >= 0) {
			close(w->file);
			w->file = -1;
		}
		do {
			err = t_destroy(w->fd, variant->by_driver ?
					w->maker_stdev : w->id);
			if (err != EBUSY)
				break;
			busy++;
			usleep(100);
		} while (t_seconds() < end + 30);
		ASSERT_EQ(0, err)
			TH_LOG("destroy: %s", strerror(err));
	}
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < USERS; i++) {
		struct worker *u = &self->worker[i];

		pthread_join(u->thread, NULL);
		EXPECT_EQ(0, u->wrong)
			TH_LOG("%s: %s", u->where, strerror(u->wrong));
		EXPECT_LT(0, u->done + u->refused);
	}
	TH_LOG("%lu made, %lu times busy or taken, %lu uses, %lu too late",
	       w->made, busy + late, self->worker[0].done + self->worker[1].done,
	       self->worker[0].refused + self->worker[1].refused);
	EXPECT_LT(0, w->made);
	EXPECT_EQ(before, t_objects(w->fd));
}

TEST_HARNESS_MAIN
