// SPDX-License-Identifier: GPL-2.0-only
/*
 * Numbers as large as they can be, in every field of every ioctl that is one: an
 * ID, a count, a length, an address at the top. Each is either refused or means
 * what it says; none makes the kernel read, write, allocate or loop for longer
 * than there is something to do: whoever counts up to 2^32 is ended by the
 * harness's time limit.
 *
 * What a range at the top means to MAP and UNMAP is in map.c.
 */
#include "pt.h"

#define U32 UINT32_MAX
#define U64 UINT64_MAX
/* The most that one read() or write() does, in whole pages */
#define RW_MAX (INT_MAX & ~(T_PAGE - 1))

FIXTURE(limits)
{
	int fd;
	uint32_t ioas, stdev, idev, hwpt, parent, viommu, nested;
	char *buf;
};

FIXTURE_SETUP(limits)
{
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	if (!t_has_mock(self->fd))
		SKIP(return, T_NO_MOCK);
	self->buf = t_alloc(4 * T_PAGE);
	ASSERT_NE(NULL, self->buf);
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	ASSERT_EQ(0, t_mock_flags(self->fd, self->ioas, MOCK_FLAGS_DEVICE_PASID,
				  &self->stdev, &self->hwpt, &self->idev));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_NEST_PARENT,
				  &self->parent));
	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
			      &self->viommu));
	ASSERT_EQ(0, t_nested(self->fd, self->idev, self->viommu, 0, 0,
			      &self->nested));
}

FIXTURE_TEARDOWN(limits)
{
	int fd;

	close(self->fd);
	fd = t_open();
	EXPECT_EQ(0, t_check_refs(fd, self->buf, 4 * T_PAGE, 0));
	close(fd);
}

/* IDs are 31 bits wide, so none of these is one. */
static const uint32_t no_ids[] = { 1U << 31, U32 - 1, U32 };

TEST_F(limits, ids)
{
	uint64_t iova = T_BASE, bits = 0;
	uint32_t id, num, i, dirty;
	int fd = self->fd, memfd, queue;

	memfd = t_memfd(T_PAGE);
	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->ioas,
				  IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &dirty));
	for (i = 0; i < ARRAY_SIZE(no_ids); i++) {
		struct iommu_hw_info info = {
			.size = sizeof(info),
			.dev_id = no_ids[i],
		};
		uint32_t no = no_ids[i];
		uint64_t val = 1;

		EXPECT_EQ(ENOENT, t_destroy(fd, no));
		EXPECT_EQ(ENOENT, t_map_at(fd, no, self->buf, T_PAGE, T_BASE));
		EXPECT_EQ(ENOENT, t_map_file_at(fd, no, memfd, 0, T_PAGE,
						T_BASE));
		EXPECT_EQ(ENOENT, t_copy(fd, no, self->ioas, T_BASE, T_PAGE,
					 &iova, T_RW));
		EXPECT_EQ(ENOENT, t_copy(fd, self->ioas, no, T_BASE, T_PAGE,
					 &iova, T_RW));
		EXPECT_EQ(ENOENT, t_unmap(fd, no, T_BASE, T_PAGE, NULL));
		num = 0;
		EXPECT_EQ(ENOENT, t_iova_ranges(fd, no, NULL, &num, NULL));
		EXPECT_EQ(ENOENT, t_allow_iovas(fd, no, NULL, 0));
		EXPECT_EQ(ENOENT, t_huge_pages(fd, no, 1));
		EXPECT_EQ(EOPNOTSUPP, t_option(fd, no, IOMMU_OPTION_OP_GET, 0,
					       &val));
		id = no;
		EXPECT_EQ(ENOENT, t_vfio_ioas(fd, IOMMU_VFIO_IOAS_SET, &id));
		EXPECT_EQ(ENOENT, t_hwpt_alloc(fd, no, self->ioas, 0, NULL));
		EXPECT_EQ(EINVAL, t_hwpt_alloc(fd, self->idev, no, 0, NULL));
		EXPECT_EQ(ENOENT, t_hwpt_full(fd, self->idev, self->ioas,
					      IOMMU_HWPT_FAULT_ID_VALID, no,
					      IOMMU_HWPT_DATA_NONE, NULL, 0,
					      NULL));
		EXPECT_EQ(ENOENT, t_call(fd, IOMMU_GET_HW_INFO, &info));
		EXPECT_EQ(ENOENT, t_set_dirty(fd, no, 0));
		EXPECT_EQ(ENOENT, t_get_dirty(fd, no, 0, T_BASE, T_PAGE, T_PAGE,
					      &bits));
		EXPECT_EQ(ENOENT, t_unmap_dirty(fd, no, dirty, T_BASE, T_PAGE,
						T_PAGE, &bits, NULL));
		EXPECT_EQ(ENOENT, t_unmap_dirty(fd, self->ioas, no, T_BASE,
						T_PAGE, T_PAGE, &bits, NULL));
		num = 0;
		EXPECT_EQ(ENOENT, t_invalidate(fd, no, 0, NULL, 0, &num));
		EXPECT_EQ(ENOENT, t_viommu(fd, no, self->parent,
					   IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
					   NULL));
		EXPECT_EQ(ENOENT, t_viommu(fd, self->idev, no,
					   IOMMU_VIOMMU_TYPE_SELFTEST, NULL, 0,
					   NULL));
		EXPECT_EQ(ENOENT, t_vdevice(fd, no, self->idev, 1, NULL));
		EXPECT_EQ(ENOENT, t_vdevice(fd, self->viommu, no, 1, NULL));
		EXPECT_EQ(ENOENT, t_veventq(fd, no, IOMMU_VEVENTQ_TYPE_SELFTEST,
					    1, &id, &queue));
		EXPECT_EQ(ENOENT, t_hw_queue(fd, no,
					     IOMMU_HW_QUEUE_TYPE_SELFTEST, 0,
					     T_BASE, T_PAGE, NULL));
		EXPECT_EQ(ENOENT, t_mock_replace(fd, self->stdev, no, NULL));
		id = no;
		EXPECT_EQ(ENOENT, t_pasid_attach(fd, self->stdev, 1, &id));
	}
	/* A file, a PASID, an index of a queue */
	EXPECT_EQ(EBADF, t_map_file_at(fd, self->ioas, INT_MAX, 0, T_PAGE,
				       T_BASE));
	id = self->hwpt;
	EXPECT_EQ(EINVAL, t_pasid_attach(fd, self->stdev, U32, &id));
	ASSERT_EQ(0, t_map_at(fd, self->ioas, self->buf, T_PAGE, T_BASE));
	EXPECT_EQ(EINVAL, t_hw_queue(fd, self->viommu,
				     IOMMU_HW_QUEUE_TYPE_SELFTEST, U32, T_BASE,
				     T_PAGE, NULL));
	EXPECT_EQ(0, t_unmap_all(fd, self->ioas, NULL));
	close(memfd);
}

/* Arrays that are said to be longer than they are, or than anything can be */
TEST_F(limits, counts)
{
	char *cliff = t_cliff();
	struct iommu_iova_range *ranges, got[4];
	uint32_t ioas, num, i;
	uint64_t iova;
	int fd = self->fd;

	ASSERT_NE(NULL, cliff);
	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_add_reserved(fd, ioas, T_BASE, T_PAGE));

	/* Of what is there nothing is written but what there is to say. */
	ranges = (void *)(cliff + T_PAGE - 2 * sizeof(*ranges));
	num = U32;
	EXPECT_EQ(0, t_iova_ranges(fd, ioas, ranges, &num, NULL));
	EXPECT_EQ(2, num);
	EXPECT_EQ(0, ranges[0].start);
	EXPECT_EQ(U64, ranges[1].last);
	num = U32;
	EXPECT_EQ(EFAULT, t_iova_ranges(fd, ioas, ranges + 1, &num, NULL));
	EXPECT_EQ(U32, num);
	/* The end of the array would be beyond all addresses. */
	num = U32;
	EXPECT_EQ(EFAULT, t_iova_ranges(fd, ioas,
					(void *)(U64 - sizeof(*ranges)), &num,
					NULL));

	/* An allowed list ends with its memory, and none of it counts then. */
	ranges[0] = (struct iommu_iova_range){ 0x40000000, 0x4fffffff };
	ranges[1] = (struct iommu_iova_range){ 0x60000000, 0x6fffffff };
	EXPECT_EQ(EFAULT, t_allow_iovas(fd, ioas, ranges, U32));
	EXPECT_EQ(EFAULT, t_allow_iovas(fd, ioas, ranges, 3));
	EXPECT_EQ(EFAULT, t_allow_iovas(fd, ioas, NULL, U32));
	ASSERT_EQ(0, t_map_any(fd, ioas, self->buf, T_PAGE, &iova));
	EXPECT_GT(0x40000000, iova);
	/* The top is a range like others, but for its last byte alone. */
	ranges[0] = (struct iommu_iova_range){ U64 - 2 * T_PAGE + 1, U64 };
	ranges[1] = (struct iommu_iova_range){ U64, U64 };
	EXPECT_EQ(EINVAL, t_allow_iovas(fd, ioas, ranges, 2));
	ASSERT_EQ(0, t_allow_iovas(fd, ioas, ranges, 1));
	ASSERT_EQ(0, t_map_any(fd, ioas, self->buf, T_PAGE, &iova));
	EXPECT_LE(U64 - 2 * T_PAGE + 1, iova);
	num = 4;
	ASSERT_EQ(0, t_iova_ranges(fd, ioas, got, &num, NULL));
	EXPECT_EQ(2, num);

	/* As many as fit into memory are as good as one. */
	num = 20000;
	ranges = calloc(num, sizeof(*ranges));
	ASSERT_NE(NULL, ranges);
	for (i = 0; i < num; i++)
		ranges[i] = (struct iommu_iova_range){
			U64 - 2 * (i + 1) * T_PAGE + 1, U64 - 2 * i * T_PAGE
		};
	EXPECT_EQ(0, t_allow_iovas(fd, ioas, ranges, num));
	ranges[num - 1] = ranges[0];
	EXPECT_EQ(EINVAL, t_allow_iovas(fd, ioas, ranges, num));
	free(ranges);
}

/* Each request a page long, up to the most that there can be of them */
TEST_F(limits, requests)
{
	const uint32_t types[] = {
		IOMMU_HWPT_INVALIDATE_DATA_SELFTEST,
		IOMMU_VIOMMU_INVALIDATE_DATA_SELFTEST,
	};
	const uint32_t objects[] = { self->nested, self->viommu };
	const uint32_t lengths[] = {
		sizeof(struct iommu_hwpt_invalidate_selftest),
		sizeof(struct iommu_viommu_invalidate_selftest),
	};
	const uint32_t most = 1 << 19;
	unsigned int i;
	uint32_t num;
	int fd = self->fd;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		num = U32;
		EXPECT_EQ(EINVAL, t_invalidate(fd, objects[i], types[i],
					       self->buf, 8, &num));
		EXPECT_EQ(0, num);
		num = 1;
		EXPECT_EQ(EINVAL, t_invalidate(fd, objects[i], types[i],
					       self->buf, U32, &num));
		EXPECT_EQ(0, num);
		num = U32;
		EXPECT_EQ(EINVAL, t_invalidate(fd, objects[i], types[i],
					       self->buf, U32, &num));
		EXPECT_EQ(0, num);
		num = most;
		EXPECT_NE(0, t_invalidate(fd, objects[i], types[i], self->buf,
					  T_PAGE, &num));
		EXPECT_GT(most, num);
		/* Requests that begin where no memory can be */
		num = most;
		EXPECT_EQ(EFAULT, t_invalidate(fd, objects[i], types[i],
					       (void *)(U64 - 15), lengths[i],
					       &num));
		EXPECT_EQ(0, num);
	}
}

/* Data for the IOMMU driver, and from it */
TEST_F(limits, driver_data)
{
	char *cliff = t_cliff();
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = self->idev,
		.data_len = U32,
		.data_uptr = (uintptr_t)(cliff + T_PAGE - 32),
	};
	const uint64_t end = U64 - 7;
	int fd = self->fd;

	ASSERT_NE(NULL, cliff);
	EXPECT_EQ(EINVAL, t_hwpt_full(fd, self->idev, self->ioas, 0, 0,
				      IOMMU_HWPT_DATA_SELFTEST, self->buf, U32,
				      NULL));
	EXPECT_EQ(EINVAL, t_hwpt_full(fd, self->idev, self->parent, 0, 0,
				      IOMMU_HWPT_DATA_SELFTEST, self->buf, U32,
				      NULL));
	EXPECT_EQ(EFAULT, t_hwpt_full(fd, self->idev, self->parent, 0, 0,
				      IOMMU_HWPT_DATA_SELFTEST, (void *)end, 8,
				      NULL));
	EXPECT_EQ(EINVAL, t_viommu(fd, self->idev, self->parent,
				   IOMMU_VIOMMU_TYPE_SELFTEST, self->buf, U32,
				   NULL));
	EXPECT_EQ(EFAULT, t_viommu(fd, self->idev, self->parent,
				   IOMMU_VIOMMU_TYPE_SELFTEST, (void *)end, 8,
				   NULL));
	/* The rest of the buffer would be cleared, were it there. */
	EXPECT_EQ(EFAULT, t_call(fd, IOMMU_GET_HW_INFO, &info));
	info.data_len = U32;
	info.data_uptr = end;
	EXPECT_EQ(EFAULT, t_call(fd, IOMMU_GET_HW_INFO, &info));
}

/* Dirty bitmaps of more than all addresses, and of the top half of them */
TEST_F(limits, bitmaps)
{
	const uint64_t half = 1ULL << 63, top = U64 - T_PAGE + 1;
	const uint32_t dirty = IOMMU_HWPT_ALLOC_DIRTY_TRACKING;
	uint64_t bits[2] = {};
	uint32_t hwpt;
	int fd = self->fd;

	ASSERT_EQ(0, t_hwpt_alloc(fd, self->idev, self->ioas, dirty, &hwpt));
	ASSERT_EQ(0, t_map_at(fd, self->ioas, self->buf, T_PAGE, T_BASE));
	ASSERT_EQ(0, t_set_dirty(fd, hwpt, IOMMU_HWPT_DIRTY_TRACKING_ENABLE));
	ASSERT_EQ(0, t_dma_write_one(fd, hwpt, T_BASE));

	/* One bit for half of it all: the other half is not written to. */
	EXPECT_EQ(ENOENT, t_get_dirty(fd, hwpt, 1, 0, half, half, &bits));
	EXPECT_EQ(1, bits[0]);
	bits[0] = 0;
	EXPECT_EQ(ENOENT, t_get_dirty(fd, hwpt, 1, half, half, half, &bits));
	EXPECT_EQ(0, bits[0]);
	EXPECT_EQ(ENOENT, t_get_dirty(fd, hwpt, 1, top, T_PAGE, T_PAGE, &bits));
	EXPECT_EQ(ENOENT, t_get_dirty(fd, hwpt, 1, half, half, 1ULL << 62,
				      &bits));
	EXPECT_EQ(0, bits[0]);
	/* No length says 2^64; one less is not aligned, one more is none. */
	EXPECT_EQ(EINVAL, t_get_dirty(fd, hwpt, 1, 0, U64, 1, &bits));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, hwpt, 1, 0, 0, half, &bits));
	EXPECT_EQ(EOVERFLOW, t_get_dirty(fd, hwpt, 1, half, half + 1, half,
					 &bits));
	EXPECT_EQ(EOVERFLOW, t_get_dirty(fd, hwpt, 1, top, 2 * T_PAGE, T_PAGE,
					 &bits));
	EXPECT_EQ(EOVERFLOW, t_get_dirty(fd, hwpt, 1, U64, U64, 1, &bits));
	EXPECT_EQ(EINVAL, t_get_dirty(fd, hwpt, 1, 0, half, U64, &bits));
	/* Bitmaps that no memory could hold, or that wrap around */
	EXPECT_EQ(EFAULT, t_get_dirty(fd, hwpt, 1, 0, half, 1, &bits));
	EXPECT_EQ(EFAULT, t_get_dirty(fd, hwpt, 1, 0, half, 4096,
				      (void *)(U64 - 7)));
	EXPECT_EQ(EFAULT, t_get_dirty(fd, hwpt, 1, half, half, half,
				      (void *)U64));

	/* The same when all that is in the range is to go */
	EXPECT_EQ(EOVERFLOW, t_unmap_dirty(fd, self->ioas, hwpt, half, half + 1,
					   half, &bits, NULL));
	EXPECT_EQ(EINVAL, t_unmap_dirty(fd, self->ioas, hwpt, 0, U64, 1, &bits,
					NULL));
	EXPECT_EQ(EFAULT, t_unmap_dirty(fd, self->ioas, hwpt, 0, half, 1, &bits,
					NULL));
	EXPECT_EQ(ENOENT, t_unmap_dirty(fd, self->ioas, hwpt, half, half, half,
					&bits, NULL));
	EXPECT_EQ(0, bits[0] | bits[1]);
	EXPECT_EQ(0, t_check_map(fd, hwpt, T_BASE, T_PAGE, self->buf));
	EXPECT_EQ(0, t_unmap_dirty(fd, self->ioas, hwpt, 0, half, half, &bits,
				   NULL));
	EXPECT_EQ(1, bits[0]);
	EXPECT_EQ(0, bits[1]);
}

/* A copy from the top to the top, and those that would go beyond it */
TEST_F(limits, copies)
{
	const uint64_t top = U64 - T_PAGE + 1;
	uint32_t from, to;
	uint64_t iova, done;
	int fd = self->fd;

	ASSERT_EQ(0, t_ioas_alloc(fd, &from));
	ASSERT_EQ(0, t_ioas_alloc(fd, &to));
	ASSERT_EQ(0, t_map_at(fd, from, self->buf, T_PAGE, top));
	ASSERT_EQ(0, t_copy_at(fd, to, from, top, T_PAGE, top));
	EXPECT_EQ(EEXIST, t_copy_at(fd, to, from, top, T_PAGE, top));
	EXPECT_EQ(EOVERFLOW, t_copy_at(fd, to, from, top, T_PAGE + 1, 0));
	EXPECT_EQ(EOVERFLOW, t_copy_at(fd, to, from, U64, 2, 0));
	EXPECT_EQ(EOVERFLOW, t_copy_at(fd, to, from, top, T_PAGE, top + 1));
	EXPECT_EQ(EOVERFLOW, t_copy_at(fd, to, from, top, U64, 0));
	EXPECT_EQ(ENOENT, t_copy_at(fd, to, from, 0, U64 - 1, 0));
	EXPECT_EQ(ENOENT, t_copy(fd, to, from, top - 1, T_PAGE, &iova, T_RW));
	ASSERT_EQ(0, t_unmap(fd, to, top, T_PAGE, &done));
	EXPECT_EQ(T_PAGE, done);
	ASSERT_EQ(0, t_unmap_all(fd, from, &done));
	EXPECT_EQ(T_PAGE, done);
}

/* In-kernel users name ranges too. */
TEST_F(limits, accesses)
{
	const uint64_t top = U64 - T_PAGE + 1;
	uint32_t ioas, item;
	char data[16];
	int fd = self->fd, access;

	ASSERT_EQ(0, t_ioas_alloc(fd, &ioas));
	ASSERT_EQ(0, t_map_at(fd, ioas, self->buf, T_PAGE, top));
	ASSERT_EQ(0, t_create_access(fd, ioas,
				     MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES,
				     &access));
	ASSERT_EQ(0, t_pin(fd, access, top, T_PAGE, self->buf, 0, &item));
	EXPECT_EQ(0, t_check_refs(fd, self->buf, T_PAGE, 1));
	EXPECT_EQ(EOVERFLOW, t_pin(fd, access, top, T_PAGE + 1, NULL, 0, NULL));
	EXPECT_EQ(EOVERFLOW, t_pin(fd, access, U64, 2, NULL, 0, NULL));
	EXPECT_EQ(0, t_access_rw(fd, access, U64 - 15, data, 16, 0));
	EXPECT_EQ(0x5a, data[15]);
	EXPECT_EQ(EOVERFLOW, t_access_rw(fd, access, U64 - 14, data, 16, 0));
	EXPECT_EQ(0, t_unpin(fd, access, item));
	close(access);
}

TEST_F(limits, regions)
{
	const int rw = PROT_READ | PROT_WRITE;
	const off_t offsets[] = {
		INT64_MAX & ~(T_PAGE - 1), -(off_t)T_PAGE, INT64_MIN,
		(1ULL << 44) - T_PAGE,
	};
	struct iommu_viommu_selftest data = {};
	size_t length;
	unsigned int i;
	uint32_t id;

	ASSERT_EQ(0, t_viommu(self->fd, self->idev, self->parent,
			      IOMMU_VIOMMU_TYPE_SELFTEST, &data, sizeof(data),
			      &id));
	length = data.out_mmap_length;
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, length, rw, MAP_SHARED,
					   self->fd, offsets[i]));
		/* Beyond what a file can have, the kernel does not ask us. */
		EXPECT_TRUE(errno == ENXIO || errno == EOVERFLOW ||
			    errno == EINVAL)
			TH_LOG("%#llx: %s", (unsigned long long)offsets[i],
			       strerror(errno));
	}
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1UL << 46, rw, MAP_SHARED, self->fd,
				   data.out_mmap_offset));
	EXPECT_TRUE(errno == ENXIO || errno == ENOMEM);
	/* Nobody keeps it. */
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

/* Reading and writing with all counts there are: only what is there is done. */
TEST_F(limits, queues)
{
	struct iommu_hwpt_page_response answer = {
		.cookie = 1,
		.code = IOMMUFD_PAGE_RESP_SUCCESS,
	};
	const size_t msg = sizeof(struct iommu_hwpt_pgfault);
	const size_t event = sizeof(struct iommufd_vevent_header) +
			     sizeof(struct iommu_viommu_event_selftest);
	uint32_t id, fault, hwpt, vdev;
	int faults, events;
	char *room;

	/* Room for the longest read, not all of which is ever touched */
	room = mmap(NULL, 1UL << 31, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, room);
	ASSERT_EQ(0, t_fault_alloc(self->fd, &fault, &faults));
	ASSERT_EQ(0, t_hwpt_full(self->fd, self->idev, self->ioas,
				 IOMMU_HWPT_FAULT_ID_VALID, fault,
				 IOMMU_HWPT_DATA_NONE, NULL, 0, &hwpt));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, hwpt, NULL));
	ASSERT_EQ(0, t_iopf(self->fd, self->idev, 0, 1));
	EXPECT_EQ(-1, read(faults, room, SSIZE_MAX));
	EXPECT_EQ(EFAULT, errno);
	/* Cut to whole pages by the kernel, it is no multiple any more. */
	EXPECT_EQ(-1, read(faults, room, INT_MAX));
	EXPECT_EQ(ESPIPE, errno);
	ASSERT_EQ(msg, read(faults, room, RW_MAX / msg * msg));
	EXPECT_EQ(0, read(faults, room, RW_MAX / msg * msg));
	EXPECT_EQ(-1, write(faults, room, SSIZE_MAX));
	EXPECT_EQ(EFAULT, errno);
	memcpy(room, &answer, sizeof(answer));
	/* What follows is no answer, so it ends there. */
	EXPECT_EQ(sizeof(answer), write(faults, room, RW_MAX));
	EXPECT_EQ(-1, write(faults, room, RW_MAX));
	EXPECT_EQ(EINVAL, errno);

	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->idev, U64, &vdev));
	ASSERT_EQ(0, t_mock_replace(self->fd, self->stdev, self->nested, NULL));
	ASSERT_EQ(0, t_veventq(self->fd, self->viommu,
			       IOMMU_VEVENTQ_TYPE_SELFTEST, 1 << 19, &id,
			       &events));
	ASSERT_EQ(0, t_vevent(self->fd, self->idev));
	EXPECT_EQ(-1, read(events, room, SSIZE_MAX));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(event, read(events, room, INT_MAX));
	EXPECT_EQ(0, read(events, room, INT_MAX));
	munmap(room, 1UL << 31);
	close(faults);
	close(events);
}

TEST_HARNESS_MAIN
