// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a monitor does for a guest behind an Arm SMMUv3: the guest's stream table
 * entry, context descriptor and page table lie in the guest's memory, and the
 * SMMU walks them through the parent page table. The device is QEMU's edu. All
 * layouts are those of the SMMUv3 architecture and of Arm's page tables.
 */
#include <endian.h>
#include <linux/const.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "pt.h"
#include "vfio.h"

/* IDR0: stage 1, stage 2; IDR3: stage 2 decides whether memory is cached */
#define IDR0_S2P _BITUL(0)
#define IDR0_S1P _BITUL(1)
#define IDR3_FWB _BITUL(8)
#define BOTH_STAGES (IDR0_S1P | IDR0_S2P)

/* Stream table entry, first word: V, Config */
#define STE_VALID 1ULL
#define STE_ABORT 0ULL
#define STE_BYPASS (4ULL << 1)
#define STE_STAGE1 (5ULL << 1)
#define STE_STAGE2 (6ULL << 1)
/* Second word: the table of descriptors is cached, inner shareable; EATS */
#define STE_CACHED (_BITULL(2) | _BITULL(4) | 3ULL << 6)
#define STE_EATS_SPLIT (2ULL << 28)
/* A bit that is not the guest's: MEV */
#define STE_MEV _BITULL(19)

/*
 * Context descriptor, first word: 39 bits of address (T0SZ), in pages of 4 KiB,
 * walked through the cache, one table only (EPD1), valid, 44 bits of output,
 * AArch64, faults recorded (R) and ended (A), an ASID of its own (ASET)
 */
#define CD_0 \
	(25ULL | _BITULL(8) | _BITULL(10) | 3ULL << 12 | _BITULL(30) | \
	 _BITULL(31) | 4ULL << 32 | _BITULL(41) | _BITULL(45) | _BITULL(46) | \
	 _BITULL(47))
#define CD_ASID_SHIFT 48
/* Fourth word: attribute 0 is ordinary memory. */
#define CD_MAIR 0xffULL

/* Page table: a table; a page that may be written, accessed, shared */
#define PTE_TABLE 3ULL
#define PTE_PAGE (3ULL | _BITULL(6) | 3ULL << 8 | _BITULL(10))
#define PTE_READ_ONLY _BITULL(7)

/* Commands */
#define CMD_CFGI_STE 0x3ULL
#define CMD_CFGI_CD 0x5ULL
#define CMD_TLBI_NH_ALL 0x10ULL
#define CMD_TLBI_NH_ASID 0x11ULL
#define CMD_TLBI_NH_VA 0x12ULL
#define CMD_SYNC 0x46ULL
#define CMD_ASID_SHIFT 48
#define CMD_SID_SHIFT 32
#define CMD_LEAF 1ULL

/* Events */
#define EVENT_TRANSLATION 0x10
#define EVENT_PERMISSION 0x13
#define EVENT_READ _BITULL(35)

/* The guest's memory, as the guest numbers it */
#define GUEST 0x400000UL
/* What the device puts on the bus, translated by the guest's table */
#define VIRT 0x800000UL
/* Numbers that the guest gives, other than those of the real machine */
#define VSID 0x1234ULL
#define ASID 7ULL

enum {
	PAGE_CD,
	PAGE_LEVEL1,
	PAGE_LEVEL2,
	PAGE_LEVEL3,
	PAGE_LEVEL3_MSI,
	PAGE_DATA,
	NR_PAGES = PAGE_DATA + 4,
};

FIXTURE(vfio_nested_smmu)
{
	int fd;
	uint32_t id, ioas;
	struct iommu_hw_info_arm_smmuv3 info;
	struct edu edu;
	/* Of tests that need hardware that nests, see make_guest() */
	char *mem;
	uint32_t parent, viommu, vdev, hwpt;
};

FIXTURE_SETUP(vfio_nested_smmu)
{
	struct iommu_hw_info cmd = {
		.size = sizeof(cmd),
		.data_len = sizeof(self->info),
		.data_uptr = (uintptr_t)&self->info,
	};
	const char *why;

	self->fd = -1;
	self->edu.dev = -1;
	if (T_PAGE != 4096)
		SKIP(return, "the tables here have pages of 4 KiB");
	why = edu_open(_metadata, &self->edu);
	if (why)
		SKIP(return, "%s", why);
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, vfio_bind(self->edu.dev, self->fd, &self->id));
	ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
	cmd.dev_id = self->id;
	ASSERT_EQ(0, t_call(self->fd, IOMMU_GET_HW_INFO, &cmd));
	if (cmd.out_data_type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3)
		SKIP(return, "IOMMU of type %u, no SMMUv3", cmd.out_data_type);
}

FIXTURE_TEARDOWN(vfio_nested_smmu)
{
	edu_close(&self->edu);
	if (self->fd >= 0)
		close(self->fd);
}

static int viommu(struct _test_data_vfio_nested_smmu *self, uint32_t parent,
		  uint32_t *id)
{
	return t_viommu(self->fd, self->id, parent,
			IOMMU_VIOMMU_TYPE_ARM_SMMUV3, NULL, 0, id);
}

/* A nested page table from the first two words of a stream table entry */
static int nested(struct _test_data_vfio_nested_smmu *self, uint64_t ste0,
		  uint64_t ste1, uint32_t *hwpt)
{
	struct iommu_hwpt_arm_smmuv3 data = {
		.ste = { htole64(ste0), htole64(ste1) },
	};

	return t_hwpt_full(self->fd, self->id, self->viommu, 0, 0,
			   IOMMU_HWPT_DATA_ARM_SMMUV3, &data, sizeof(data),
			   hwpt);
}

static uint64_t guest(unsigned int page)
{
	return GUEST + page * T_PAGE;
}

static int nested_s1(struct _test_data_vfio_nested_smmu *self, uint32_t *hwpt)
{
	return nested(self, STE_VALID | STE_STAGE1 | guest(PAGE_CD), STE_CACHED,
		      hwpt);
}

static void put(char *mem, unsigned int page, unsigned int index, uint64_t val)
{
	uint64_t *word = (uint64_t *)(mem + page * T_PAGE) + index;

	__atomic_store_n(word, htole64(val), __ATOMIC_RELEASE);
}

/*
 * A guest's memory and its vIOMMU. An SMMU may be able and the machine not: unless
 * stage 2 forces memory to be cached (FWB), firmware has to vouch for the root
 * complex (CANWBS of the IORT).
 */
static bool make_parent(struct __test_metadata *_metadata,
			struct _test_data_vfio_nested_smmu *self)
{
	int err;

	if (t_hwpt_alloc(self->fd, self->id, self->ioas,
			 IOMMU_HWPT_ALLOC_NEST_PARENT, &self->parent))
		return false;
	err = viommu(self, self->parent, &self->viommu);
	if (err) {
		EXPECT_EQ(EOPNOTSUPP, err);
		EXPECT_FALSE(self->info.idr[3] & IDR3_FWB);
		return false;
	}
	self->mem = t_alloc(NR_PAGES * T_PAGE);
	if (!self->mem)
		return false;
	memset(self->mem, 0, NR_PAGES * T_PAGE);
	return !t_map_at(self->fd, self->ioas, self->mem, NR_PAGES * T_PAGE,
			 GUEST);
}

/* The test machine says by IOFD_NESTED that it is one that can. */
static bool nests(struct __test_metadata *_metadata,
		  struct _test_data_vfio_nested_smmu *self)
{
	bool can = make_parent(_metadata, self);

	EXPECT_TRUE(can || !getenv("IOFD_NESTED"));
	return can;
}

#define NO_NESTING \
	"no nesting: IDR0 %#x (wants bits 0, 1), IDR3 %#x (bit 8, or CANWBS)", \
	self->info.idr[0], self->info.idr[3]

static void put_cd(char *mem, uint64_t asid, unsigned int table)
{
	put(mem, PAGE_CD, 1, guest(table));
	put(mem, PAGE_CD, 3, CD_MAIR);
	put(mem, PAGE_CD, 0, CD_0 | asid << CD_ASID_SHIFT);
}

/* The guest's descriptor and page table, and the device's number there */
static void make_guest(struct __test_metadata *_metadata,
		       struct _test_data_vfio_nested_smmu *self)
{
	char *mem = self->mem;
	unsigned int i;

	put(mem, PAGE_LEVEL1, 0, guest(PAGE_LEVEL2) | PTE_TABLE);
	put(mem, PAGE_LEVEL2, VIRT >> 21, guest(PAGE_LEVEL3) | PTE_TABLE);
	for (i = 0; i < NR_PAGES - PAGE_DATA; i++)
		put(mem, PAGE_LEVEL3, i, guest(PAGE_DATA + i) | PTE_PAGE);
	put_cd(mem, ASID, PAGE_LEVEL1);
	ASSERT_EQ(0, t_vdevice(self->fd, self->viommu, self->id, VSID,
			       &self->vdev));
	ASSERT_EQ(0, nested_s1(self, &self->hwpt));
	edu_start(_metadata, &self->edu);
}

static char *data_page(struct _test_data_vfio_nested_smmu *self, unsigned int n)
{
	return self->mem + (PAGE_DATA + n) * T_PAGE;
}

/* Commands of two words each; *@num as with t_invalidate() */
static int commands(struct _test_data_vfio_nested_smmu *self,
		    const uint64_t (*words)[2], uint32_t *num)
{
	struct iommu_viommu_arm_smmuv3_invalidate cmds[8] = {};
	uint32_t i;

	for (i = 0; i < *num; i++) {
		cmds[i].cmd[0] = htole64(words[i][0]);
		cmds[i].cmd[1] = htole64(words[i][1]);
	}
	return t_invalidate(self->fd, self->viommu,
			    IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, cmds,
			    sizeof(*cmds), num);
}

static int command(struct _test_data_vfio_nested_smmu *self, uint64_t first,
		   uint64_t second)
{
	const uint64_t words[1][2] = { { first, second } };
	uint32_t num = 1;

	return commands(self, words, &num) ?: (num == 1 ? 0 : EBADE);
}

/* What the device reads at @from arrives where @to leads. */
static void moves(struct __test_metadata *_metadata,
		  struct _test_data_vfio_nested_smmu *self, uint32_t from,
		  uint32_t to, unsigned int source, unsigned int target)
{
	memset(data_page(self, target), 0, EDU_CHUNK);
	EDU_READ(from);
	EDU_WRITE(to);
	EXPECT_EQ(0, memcmp(data_page(self, source), data_page(self, target),
			    EDU_CHUNK));
}

TEST_F(vfio_nested_smmu, hardware_without)
{
	uint32_t plain;

	if ((self->info.idr[0] & BOTH_STAGES) == BOTH_STAGES)
		SKIP(return, "the SMMU has both stages");
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_alloc(self->fd, self->id, self->ioas,
					   IOMMU_HWPT_ALLOC_NEST_PARENT, NULL));
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &plain));
	EXPECT_EQ(EOPNOTSUPP, viommu(self, plain, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, plain));
	EXPECT_EQ(0, t_destroy(self->fd, self->ioas));
}

TEST_F(vfio_nested_smmu, stream_table_entries)
{
	struct iommu_hwpt_arm_smmuv3 data[2] = {
		{ .ste = { htole64(STE_VALID | STE_BYPASS) } },
	};
	uint32_t plain, hwpt;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	/* A vIOMMU wants a parent, and a nested page table a vIOMMU. */
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id, self->ioas, 0, &plain));
	EXPECT_EQ(EINVAL, viommu(self, plain, NULL));
	EXPECT_EQ(EOPNOTSUPP, t_hwpt_full(self->fd, self->id, self->parent, 0,
					  0, IOMMU_HWPT_DATA_ARM_SMMUV3, data,
					  sizeof(*data), NULL));
	/* Data of another length or kind, and bits that are not the guest's */
	EXPECT_EQ(EINVAL, t_hwpt_full(self->fd, self->id, self->viommu, 0, 0,
				      IOMMU_HWPT_DATA_ARM_SMMUV3, data,
				      sizeof(*data) - 1, NULL));
	EXPECT_EQ(EINVAL, t_hwpt_full(self->fd, self->id, self->viommu, 0, 0,
				      IOMMU_HWPT_DATA_VTD_S1, data,
				      sizeof(*data), NULL));
	EXPECT_EQ(EIO, nested(self, STE_VALID | STE_STAGE2, 0, NULL));
	EXPECT_EQ(EIO, nested(self, STE_VALID | STE_BYPASS, STE_MEV, NULL));
	EXPECT_EQ(EIO, nested(self, STE_VALID | STE_BYPASS, STE_EATS_SPLIT,
			      NULL));
	ASSERT_EQ(0, nested_s1(self, &hwpt));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->parent));
	/* Its commands and events would name a device that the guest has not. */
	EXPECT_EQ(ENOENT, vfio_attach(self->edu.dev, hwpt, NULL));
	EXPECT_EQ(0, t_destroy(self->fd, hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

TEST_F(vfio_nested_smmu, dma_through_both_stages)
{
	uint32_t used;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	fill(data_page(self, 0), 1);
	fill(data_page(self, 2), 2);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, &used));
	EXPECT_EQ(self->hwpt, used);
	EXPECT_EQ(EBUSY, t_destroy(self->fd, self->hwpt));
	moves(_metadata, self, VIRT, VIRT + T_PAGE, 0, 1);
	/* The guest's own addresses mean nothing to the device any more. */
	EDU_WRITE(guest(PAGE_DATA + 3));
	EXPECT_TRUE(is_all(data_page(self, 3), 0));

	/* What is no guest's memory stays out of reach. */
	ASSERT_EQ(0, t_unmap_all(self->fd, self->ioas, NULL));
	memset(data_page(self, 1), 0, EDU_CHUNK);
	EDU_WRITE(VIRT + T_PAGE);
	EXPECT_TRUE(is_all(data_page(self, 1), 0));
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	EXPECT_EQ(0, t_destroy(self->fd, self->hwpt));
	EXPECT_EQ(0, t_destroy(self->fd, self->vdev));
	EXPECT_EQ(0, t_destroy(self->fd, self->viommu));
	EXPECT_EQ(0, t_destroy(self->fd, self->parent));
}

/* The guest maps something else and says so, by each command that can. */
TEST_F(vfio_nested_smmu, commands_of_the_guest)
{
	const uint64_t cmds[][2] = {
		{ CMD_TLBI_NH_VA | ASID << CMD_ASID_SHIFT, VIRT | CMD_LEAF },
		{ CMD_TLBI_NH_ASID | ASID << CMD_ASID_SHIFT, 0 },
		{ CMD_TLBI_NH_ALL, 0 },
	};
	unsigned int i, page = 0;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	fill(data_page(self, 0), 1);
	fill(data_page(self, 2), 2);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, NULL));
	for (i = 0; i < ARRAY_SIZE(cmds); i++) {
		moves(_metadata, self, VIRT, VIRT + T_PAGE, page, 1);
		page ^= 2;
		put(self->mem, PAGE_LEVEL3, 0,
		    guest(PAGE_DATA + page) | PTE_PAGE);
		ASSERT_EQ(0, command(self, cmds[i][0], cmds[i][1]));
		moves(_metadata, self, VIRT, VIRT + T_PAGE, page, 1);
	}
	/* Another descriptor, whose first level is another page */
	put(self->mem, PAGE_LEVEL3_MSI, 0, guest(PAGE_LEVEL2) | PTE_TABLE);
	put_cd(self->mem, ASID + 1, PAGE_LEVEL3_MSI);
	put(self->mem, PAGE_LEVEL1, 0, 0);
	ASSERT_EQ(0, command(self, CMD_CFGI_CD | VSID << CMD_SID_SHIFT,
			     CMD_LEAF));
	ASSERT_EQ(0, command(self, CMD_TLBI_NH_ALL, 0));
	moves(_metadata, self, VIRT, VIRT + T_PAGE, page, 1);
}

TEST_F(vfio_nested_smmu, commands_that_are_refused)
{
	const uint64_t cmds[][2] = {
		{ CMD_TLBI_NH_ALL, 0 },
		{ CMD_CFGI_CD | VSID << CMD_SID_SHIFT, CMD_LEAF },
		{ CMD_SYNC, 0 },
		{ CMD_TLBI_NH_ALL, 0 },
	};
	struct iommu_viommu_arm_smmuv3_invalidate one = {};
	uint32_t num = 2;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	EXPECT_EQ(0, commands(self, cmds, &num));
	EXPECT_EQ(2, num);
	/* Synchronizing is the host's, and so are entries of stream tables. */
	num = 4;
	EXPECT_EQ(EIO, commands(self, cmds, &num));
	EXPECT_GE(2, num);
	EXPECT_EQ(EIO, command(self, CMD_CFGI_STE | VSID << CMD_SID_SHIFT, 0));
	EXPECT_EQ(EIO, command(self, CMD_CFGI_CD | (VSID + 1) << CMD_SID_SHIFT,
			       CMD_LEAF));
	EXPECT_EQ(0, command(self, CMD_CFGI_CD | VSID << CMD_SID_SHIFT,
			     CMD_LEAF));
	/* Not by way of the page table, and not of another kind */
	one.cmd[0] = htole64(CMD_TLBI_NH_ALL);
	num = 1;
	EXPECT_EQ(EOPNOTSUPP,
		  t_invalidate(self->fd, self->hwpt,
			       IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3, &one,
			       sizeof(one), &num));
	num = 1;
	EXPECT_EQ(EINVAL, t_invalidate(self->fd, self->viommu,
				       IOMMU_HWPT_INVALIDATE_DATA_VTD_S1, &one,
				       sizeof(one), &num));
	EXPECT_EQ(0, num);
}

/* A guest that has its SMMU switched off, or its device shut out */
TEST_F(vfio_nested_smmu, bypass_and_abort)
{
	uint32_t bypass, abort, invalid;
	int i;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	/* These may come before the guest has a number for the device. */
	ASSERT_EQ(0, nested(self, STE_VALID | STE_BYPASS, 0, &bypass));
	ASSERT_EQ(0, nested(self, STE_VALID | STE_ABORT, 0, &abort));
	ASSERT_EQ(0, nested(self, STE_BYPASS, 0, &invalid));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, bypass, NULL));
	make_guest(_metadata, self);
	fill(data_page(self, 0), 1);
	/* What is the guest's is where the guest has it. */
	moves(_metadata, self, guest(PAGE_DATA), guest(PAGE_DATA + 1), 0, 1);
	EDU_WRITE(VIRT + 3 * T_PAGE);
	EXPECT_TRUE(is_all(data_page(self, 3), 0));
	/* Nowhere at all */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, vfio_attach(self->edu.dev, i ? invalid : abort,
					 NULL));
		EDU_WRITE(VIRT + 3 * T_PAGE);
		EDU_WRITE(guest(PAGE_DATA + 3));
		EXPECT_TRUE(is_all(data_page(self, 3), 0));
	}
	/* From there to a table, and back to plain memory of the host */
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, NULL));
	moves(_metadata, self, VIRT, VIRT + T_PAGE, 0, 1);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->ioas, NULL));
	moves(_metadata, self, guest(PAGE_DATA), guest(PAGE_DATA + 2), 0, 2);
}

struct event {
	struct iommufd_vevent_header header;
	struct iommu_vevent_arm_smmuv3 data;
};

/*
 * The events that a DMA at @iova must give, and no others. There is one for each
 * access on the bus, of which edu needs many.
 */
static void expect_events(struct __test_metadata *_metadata, int queue,
			  uint32_t *sequence, unsigned int what,
			  bool read_access, uint64_t iova)
{
	struct pollfd p = { .fd = queue, .events = POLLIN };
	unsigned int n = 0, wrong = 0;
	struct event event;
	uint64_t first;

	while (poll(&p, 1, n ? 500 : 20000) == 1) {
		ASSERT_EQ(sizeof(event), read(queue, &event, sizeof(event)));
		ASSERT_EQ(0, event.header.flags);
		ASSERT_EQ((*sequence)++, event.header.sequence);
		first = le64toh(event.data.evt[0]);
		wrong += (first & 0xff) != what || first >> 32 != VSID ||
			 !(le64toh(event.data.evt[1]) & EVENT_READ) ==
				 read_access ||
			 (le64toh(event.data.evt[2]) & ~(T_PAGE - 1)) != iova;
		n++;
	}
	EXPECT_LT(0, n);
	EXPECT_EQ(0, wrong)
		TH_LOG("of %u, the last %#llx %#llx %#llx", n,
		       event.data.evt[0], event.data.evt[1],
		       event.data.evt[2]);
}

TEST_F(vfio_nested_smmu, events_for_the_guest)
{
	struct pollfd p = { .events = POLLIN };
	uint32_t id, sequence = 0;
	int queue;

	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	put(self->mem, PAGE_LEVEL3, 2,
	    guest(PAGE_DATA + 2) | PTE_PAGE | PTE_READ_ONLY);
	ASSERT_EQ(0, t_veventq(self->fd, self->viommu,
			       IOMMU_VEVENTQ_TYPE_ARM_SMMUV3, 4 * EDU_CHUNK, &id,
			       &queue));
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, NULL));
	EDU_READ(VIRT);
	p.fd = queue;
	EXPECT_EQ(0, poll(&p, 1, 0));
	/* Nothing there, to read and to write; there, and not to be written */
	EDU_READ(VIRT + 16 * T_PAGE);
	expect_events(_metadata, queue, &sequence, EVENT_TRANSLATION, true,
		      VIRT + 16 * T_PAGE);
	EDU_WRITE(VIRT + 17 * T_PAGE);
	expect_events(_metadata, queue, &sequence, EVENT_TRANSLATION, false,
		      VIRT + 17 * T_PAGE);
	EDU_WRITE(VIRT + 2 * T_PAGE);
	expect_events(_metadata, queue, &sequence, EVENT_PERMISSION, false,
		      VIRT + 2 * T_PAGE);
	EXPECT_TRUE(is_all(data_page(self, 2), 0));
	ASSERT_EQ(0, vfio_detach(self->edu.dev));
	close(queue);
	EXPECT_EQ(0, t_destroy(self->fd, id));
}

/*
 * The page that interrupts are written to is in the parent; it is the guest's
 * table that must lead there.
 */
TEST_F(vfio_nested_smmu, msi_through_both_stages)
{
	int irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd p = { .fd = irq, .events = POLLIN };
	uint64_t count;

	ASSERT_LE(0, irq);
	if (!nests(_metadata, self))
		SKIP(return, NO_NESTING);
	make_guest(_metadata, self);
	put(self->mem, PAGE_LEVEL2, MSI_FIRST >> 21,
	    guest(PAGE_LEVEL3_MSI) | PTE_TABLE);
	put(self->mem, PAGE_LEVEL3_MSI, 0, MSI_FIRST | PTE_PAGE);
	ASSERT_EQ(0, vfio_attach(self->edu.dev, self->hwpt, NULL));
	ASSERT_EQ(0, vfio_msi(self->edu.dev, irq));
	edu_set(&self->edu, EDU_IRQ_RAISE, 1);
	EXPECT_EQ(1, poll(&p, 1, 20000));
	EXPECT_EQ(sizeof(count), read(irq, &count, sizeof(count)));
	edu_set(&self->edu, EDU_IRQ_ACK, 1);
	/* Not any more */
	put(self->mem, PAGE_LEVEL3_MSI, 0, 0);
	ASSERT_EQ(0, command(self, CMD_TLBI_NH_ALL, 0));
	edu_set(&self->edu, EDU_IRQ_RAISE, 1);
	EXPECT_EQ(0, poll(&p, 1, 1000));
	edu_set(&self->edu, EDU_IRQ_ACK, 1);
	close(irq);
}

TEST_HARNESS_MAIN
