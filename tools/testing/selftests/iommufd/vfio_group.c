// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that the IOMMU cannot tell apart, or that may reach each other, are
 * one group: they are given away together, and attached together. Shown with
 * network cards of QEMU behind the Intel IOMMU: two functions of one slot, and
 * two conventional devices behind one bridge.
 */
#include <pthread.h>

#include "e1000.h"

#define IOVA 0x400000UL

/* One of the two devices of a group */
struct function {
	char path[300], cdev[300], group[64];
	/* In @path */
	const char *slot;
};

/* Two devices of a kind that are in one group; false if there are none. */
static bool find_pair(unsigned int device, struct function *pair)
{
	unsigned int n;

	for (n = 0; find_pci_nth(E1000_VENDOR, device, n, pair[1].path,
				 sizeof(pair[1].path)); n++) {
		if (!find_group(pair[1].path, pair[1].group,
				sizeof(pair[1].group)))
			continue;
		pair[1].slot = strrchr(pair[1].path, '/') + 1;
		if (n && !strcmp(pair[0].group, pair[1].group))
			return true;
		pair[0] = pair[1];
		pair[0].slot = strrchr(pair[0].path, '/') + 1;
	}
	return false;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* Gives a function to a driver, or to none; what the driver core says. */
static int set_driver(struct function *f, const char *driver)
{
	char path[400], now[300] = "";
	ssize_t n;
	int err;

	snprintf(path, sizeof(path), "%s/driver", f->path);
	n = readlink(path, now, sizeof(now) - 1);
	if (n > 0 && driver && !strcmp(strrchr(now, '/') + 1, driver))
		return 0;
	if (n > 0) {
		strcat(path, "/unbind");
		err = write_text(path, f->slot);
		if (err)
			return err;
	}
	snprintf(path, sizeof(path), "%s/driver_override", f->path);
	err = write_text(path, driver ?: "\n");
	if (err || !driver)
		return err;
	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/bind", driver);
	return write_text(path, f->slot);
}

/* What the kernel has said since kmsg_begin(): both words in one line? */
static int kmsg_begin(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

static bool kmsg_end(int fd, const char *one, const char *other)
{
	char line[2048];
	bool found = false;
	ssize_t n;

	do {
		n = read(fd, line, sizeof(line) - 1);
		if (n > 0) {
			line[n] = 0;
			found |= strstr(line, one) && strstr(line, other);
		}
	} while (n > 0 || (n < 0 && errno == EPIPE));
	close(fd);
	return found;
}

static void fill_packet(char *packet, unsigned int seed)
{
	fill(packet, seed);
	/* To all */
	memset(packet, 0xff, 6);
}

/* Two functions of one slot, in three ways from a process to a device */
FIXTURE(dual)
{
	struct function f[2];
	struct e1000 nic[2];
	int fd, group;
	uint32_t ioas;
	char *buf;
	size_t length;
};

FIXTURE_VARIANT(dual)
{
	const char *node;
	bool by_group;
};

FIXTURE_VARIANT_ADD(dual, cdev)
{
	.node = "/dev/iommu",
};

FIXTURE_VARIANT_ADD(dual, group)
{
	.node = "/dev/iommu",
	.by_group = true,
};

FIXTURE_VARIANT_ADD(dual, container)
{
	.node = "/dev/vfio/vfio",
	.by_group = true,
};

/* Pages of the buffer */
#define TX_RING 0
#define RX_RING 1
#define PACKET 2
#define RX_BUFFERS 3
#define PAGES (RX_BUFFERS + 32)

FIXTURE_SETUP(dual)
{
	self->fd = -1;
	self->group = -1;
	self->nic[0].dev = -1;
	self->nic[1].dev = -1;
	if (access("/sys/kernel/iommu_groups/0", F_OK))
		SKIP(return, "machine without an IOMMU");
	if (!find_pair(E1000E_DEVICE, self->f))
		SKIP(return, "no two functions 8086:10d3 in one group");
	if (access("/sys/bus/pci/drivers/e1000e", F_OK))
		SKIP(return, "kernel without CONFIG_E1000E");
	if (variant->by_group && access("/sys/class/vfio", F_OK))
		SKIP(return, "kernel without CONFIG_VFIO_GROUP");
	if (!strcmp(variant->node, "/dev/vfio/vfio") &&
	    !access("/sys/module/vfio_iommu_type1", F_OK))
		SKIP(return, "VFIO has a container of its own");
	self->fd = open(variant->node, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %m", variant->node);
	self->length = PAGES * T_PAGE;
	self->buf = t_alloc(self->length);
	ASSERT_NE(NULL, self->buf);
}

FIXTURE_TEARDOWN(dual)
{
	e1000_stop(&self->nic[0]);
	e1000_stop(&self->nic[1]);
	if (self->group >= 0)
		close(self->group);
	if (self->fd >= 0) {
		close(self->fd);
		EXPECT_EQ(0, set_driver(&self->f[0], "vfio-pci"));
		EXPECT_EQ(0, set_driver(&self->f[1], "vfio-pci"));
		EXPECT_EQ(0, t_vmpin());
	}
}

/* An address space with the buffer in it, and the group connected to it */
static void dual_begin(struct __test_metadata *_metadata,
		       struct _test_data_dual *self, bool by_group)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)self->buf,
		.iova = IOVA,
		.size = self->length,
	};

	if (!by_group) {
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas));
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas, self->buf,
				      self->length, IOVA));
		return;
	}
	self->group = open(self->f[0].group, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->group)
		TH_LOG("%s: %m", self->f[0].group);
	ASSERT_EQ(0, t_call(self->group, VFIO_GROUP_SET_CONTAINER, &self->fd));
	ASSERT_EQ(0, ioctl(self->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, t_call(self->fd, VFIO_IOMMU_MAP_DMA, &map));
}

/* Opens function @n, ready for DMA in that address space. 0 or an errno */
static int dual_open(struct _test_data_dual *self, unsigned int n)
{
	struct function *f = &self->f[n];
	struct e1000 *nic = &self->nic[n];
	uint32_t id;
	int err;

	if (self->group >= 0) {
		nic->dev = ioctl(self->group, VFIO_GROUP_GET_DEVICE_FD,
				 f->slot);
		err = nic->dev < 0 ? errno : 0;
	} else {
		err = ENXIO;
		if (find_cdev(f->path, f->cdev, sizeof(f->cdev))) {
			nic->dev = open(f->cdev, O_RDWR | O_CLOEXEC);
			err = nic->dev < 0 ? errno : 0;
		}
		if (!err)
			err = vfio_bind(nic->dev, self->fd, &id);
		if (!err)
			err = vfio_attach(nic->dev, self->ioas, NULL);
	}
	if (!err)
		err = e1000_start(nic);
	if (err)
		e1000_stop(nic);
	return err;
}

/* Sends @n packets; how many are told to be sent? */
static unsigned int dual_send(struct _test_data_dual *self, unsigned int n)
{
	while (n--)
		e1000_send(&self->nic[0]);
	return e1000_forget_tx(self->buf + TX_RING * T_PAGE);
}

static void dual_sender(struct _test_data_dual *self)
{
	e1000_fill_tx(self->buf + TX_RING * T_PAGE, IOVA + PACKET * T_PAGE);
	fill_packet(self->buf + PACKET * T_PAGE, 1);
	e1000_sends(&self->nic[0], IOVA + TX_RING * T_PAGE);
}

/* From now on function 1 takes what function 0 sends. */
static void dual_receiver(struct __test_metadata *_metadata,
			  struct _test_data_dual *self)
{
	char *ring = self->buf + RX_RING * T_PAGE;
	double end = t_seconds() + 20;

	while (!(e1000_get(&self->nic[1], E1000_STATUS) & E1000_STATUS_UP)) {
		ASSERT_GT(end, t_seconds());
		usleep(10000);
	}
	/* What the network has kept from earlier comes first. */
	do {
		e1000_fill_rx(ring, IOVA + RX_BUFFERS * T_PAGE);
		e1000_receives(&self->nic[1], IOVA + RX_RING * T_PAGE);
		usleep(50000);
		ASSERT_GT(end, t_seconds());
	} while (e1000_done_rx(ring));
	memset(self->buf + RX_BUFFERS * T_PAGE, 0,
	       self->length - RX_BUFFERS * T_PAGE);
}

/* Sends a packet; does it come, and is it what has been sent? */
static bool dual_arrives(struct _test_data_dual *self)
{
	char *ring = self->buf + RX_RING * T_PAGE;
	unsigned int before = e1000_done_rx(ring);
	double end = t_seconds() + 20;

	if (dual_send(self, 1) != 1)
		return false;
	while (e1000_done_rx(ring) == before)
		if (t_seconds() > end)
			return false;
	return !memcmp(self->buf + PACKET * T_PAGE,
		       self->buf + RX_BUFFERS * T_PAGE, E1000_PACKET);
}

TEST_F(dual, beside_a_kernel_driver)
{
	char why[64];
	int log;

	ASSERT_EQ(0, set_driver(&self->f[0], "e1000e"));
	ASSERT_EQ(0, set_driver(&self->f[1], "vfio-pci"));
	dual_begin(_metadata, self, variant->by_group);
	log = kmsg_begin();
	ASSERT_LE(0, log);
	EXPECT_EQ(EPERM, dual_open(self, 1));
	snprintf(why, sizeof(why), "%s of the same IOMMU group",
		 self->f[0].slot);
	EXPECT_TRUE(kmsg_end(log, why, "driver e1000e"))
		TH_LOG("the kernel does not say why");
	/* Nothing is left of that: once the driver is gone it works. */
	ASSERT_EQ(0, set_driver(&self->f[0], NULL));
	ASSERT_EQ(0, dual_open(self, 1));
	e1000_stop(&self->nic[1]);
	ASSERT_EQ(0, set_driver(&self->f[0], "vfio-pci"));
	ASSERT_EQ(0, dual_open(self, 1));
	ASSERT_EQ(0, dual_open(self, 0));
	dual_sender(self);
	dual_receiver(_metadata, self);
	EXPECT_TRUE(dual_arrives(self));
}

TEST_F(dual, for_one_process)
{
	int fd, log, dev;
	uint32_t id;

	ASSERT_EQ(0, set_driver(&self->f[0], "vfio-pci"));
	ASSERT_EQ(0, set_driver(&self->f[1], "vfio-pci"));
	dual_begin(_metadata, self, variant->by_group);
	ASSERT_EQ(0, dual_open(self, 0));
	if (variant->by_group) {
		/* VFIO's own rule comes before ours. */
		EXPECT_EQ(-1, open(self->f[0].group, O_RDWR | O_CLOEXEC));
		EXPECT_EQ(EBUSY, errno);
		return;
	}
	fd = t_open();
	ASSERT_LE(0, fd);
	ASSERT_TRUE(find_cdev(self->f[1].path, self->f[1].cdev,
			      sizeof(self->f[1].cdev)));
	dev = open(self->f[1].cdev, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	log = kmsg_begin();
	ASSERT_LE(0, log);
	EXPECT_EQ(EPERM, vfio_bind(dev, fd, &id));
	EXPECT_TRUE(kmsg_end(log, self->f[1].slot, "another"))
		TH_LOG("the kernel does not say why");
	EXPECT_EQ(0, vfio_bind(dev, self->fd, &id));
	close(dev);
	close(fd);
}

TEST_F(dual, one_leaves)
{
	char *received, *before;
	size_t length;

	ASSERT_EQ(0, set_driver(&self->f[0], "vfio-pci"));
	ASSERT_EQ(0, set_driver(&self->f[1], "vfio-pci"));
	dual_begin(_metadata, self, variant->by_group);
	ASSERT_EQ(0, dual_open(self, 0));
	ASSERT_EQ(0, dual_open(self, 1));
	dual_sender(self);
	dual_receiver(_metadata, self);
	EXPECT_TRUE(dual_arrives(self));
	EXPECT_TRUE(dual_arrives(self));
	if (!variant->by_group) {
		/* It is the group that is attached, as long as one is. */
		ASSERT_EQ(0, vfio_detach(self->nic[1].dev));
		EXPECT_TRUE(dual_arrives(self));
	}

	/* Closed: what it is told to receive does not reach memory any more, */
	e1000_stop(&self->nic[1]);
	received = self->buf + RX_RING * T_PAGE;
	length = self->length - RX_RING * T_PAGE;
	before = malloc(length);
	ASSERT_NE(NULL, before);
	memcpy(before, received, length);
	EXPECT_EQ(16, dual_send(self, 16));
	EXPECT_EQ(0, memcmp(before, received, length));
	/* and no driver of the kernel gets it as long as the other is used. */
	EXPECT_EQ(EBUSY, set_driver(&self->f[1], "e1000e"));
	EXPECT_EQ(16, dual_send(self, 16));
	EXPECT_EQ(0, memcmp(before, received, length));
	free(before);

	e1000_stop(&self->nic[0]);
	EXPECT_EQ(0, set_driver(&self->f[1], "e1000e"));
	EXPECT_EQ(EPERM, dual_open(self, 0));
}

/*
 * Two devices with the requester ID of one bridge, which do DMA all the time:
 * each sends packets from a ring at an IOVA that is other memory in each of
 * three address spaces. Where a packet is told to be sent, there its DMA went.
 */
#define SPACES 3
/* Attached to nothing */
#define NOWHERE SPACES
/* Pages of the memory of a space: two rings, one packet, and one beyond */
#define SPACE_PAGES 4

struct sender {
	struct e1000 nic;
	pthread_t thread;
	bool *stop;
	unsigned long sent;
};

FIXTURE(bridge)
{
	struct function f[2];
	struct sender sender[2];
	uint32_t id[2];
	int fd;
	uint32_t ioas[SPACES];
	char *mem[SPACES], *copy;
	bool *stop;
	/* The space the group is attached to */
	unsigned int at;
};

static void *keep_sending(void *arg)
{
	struct sender *sender = arg;

	while (!__atomic_load_n(sender->stop, __ATOMIC_RELAXED)) {
		e1000_send(&sender->nic);
		__atomic_add_fetch(&sender->sent, 1, __ATOMIC_SEQ_CST);
		usleep(200);
	}
	return NULL;
}

static void fill_space(char *mem, unsigned int space)
{
	unsigned int n;

	memset(mem, 0x11 * (space + 1), SPACE_PAGES * T_PAGE);
	for (n = 0; n < 2; n++)
		e1000_fill_tx(mem + n * T_PAGE, IOVA + 2 * T_PAGE);
	fill_packet(mem + 2 * T_PAGE, space);
}

FIXTURE_SETUP(bridge)
{
	unsigned int n;

	self->fd = -1;
	self->sender[0].nic.dev = -1;
	self->sender[1].nic.dev = -1;
	self->at = NOWHERE;
	if (access("/sys/kernel/iommu_groups/0", F_OK))
		SKIP(return, "machine without an IOMMU");
	if (!find_pair(E1000_DEVICE, self->f))
		SKIP(return, "no two devices 8086:100e in one group");
	self->fd = t_open();
	ASSERT_LE(0, self->fd);
	self->stop = mmap(NULL, T_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->stop);
	self->copy = t_alloc(SPACE_PAGES * T_PAGE);
	ASSERT_NE(NULL, self->copy);
	for (n = 0; n < SPACES; n++) {
		self->mem[n] = t_alloc(SPACE_PAGES * T_PAGE);
		ASSERT_NE(NULL, self->mem[n]);
		fill_space(self->mem[n], n);
		ASSERT_EQ(0, t_ioas_alloc(self->fd, &self->ioas[n]));
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas[n], self->mem[n],
				      3 * T_PAGE, IOVA));
	}
	for (n = 0; n < 2; n++) {
		struct function *f = &self->f[n];
		struct sender *sender = &self->sender[n];

		ASSERT_EQ(0, set_driver(f, "vfio-pci"));
		ASSERT_TRUE(find_cdev(f->path, f->cdev, sizeof(f->cdev)));
		sender->nic.dev = open(f->cdev, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, sender->nic.dev)
			TH_LOG("%s: %m", f->cdev);
		ASSERT_EQ(0, vfio_bind(sender->nic.dev, self->fd,
				       &self->id[n]));
		ASSERT_EQ(0, e1000_start(&sender->nic));
		e1000_sends(&sender->nic, IOVA + n * T_PAGE);
		sender->stop = self->stop;
	}
	for (n = 0; n < 2; n++)
		ASSERT_EQ(0, pthread_create(&self->sender[n].thread, NULL,
					    keep_sending, &self->sender[n]));
}

FIXTURE_TEARDOWN(bridge)
{
	unsigned int n;

	if (self->fd < 0)
		return;
	__atomic_store_n(self->stop, true, __ATOMIC_RELAXED);
	for (n = 0; n < 2; n++) {
		if (self->sender[n].thread)
			pthread_join(self->sender[n].thread, NULL);
		e1000_stop(&self->sender[n].nic);
	}
	close(self->fd);
	EXPECT_EQ(0, t_vmpin());
	/* Nothing but that has been written, and nothing beside it. */
	for (n = 0; n < SPACES; n++) {
		e1000_forget_tx(self->mem[n]);
		e1000_forget_tx(self->mem[n] + T_PAGE);
		fill_space(self->copy, n);
		EXPECT_EQ(0, memcmp(self->copy, self->mem[n],
				    SPACE_PAGES * T_PAGE));
	}
}

/* How much each device has done in a space since this was asked last */
static void look(struct _test_data_bridge *self, unsigned int space,
		 unsigned int *done)
{
	done[0] += e1000_forget_tx(self->mem[space]);
	done[1] += e1000_forget_tx(self->mem[space] + T_PAGE);
}

static void expect_nothing_in(struct __test_metadata *_metadata,
			      struct _test_data_bridge *self,
			      unsigned int allowed, unsigned int also)
{
	unsigned int n, done[2];

	for (n = 0; n < SPACES; n++) {
		if (n == allowed || n == also)
			continue;
		done[0] = 0;
		done[1] = 0;
		look(self, n, done);
		EXPECT_EQ(0, done[0] + done[1])
			TH_LOG("DMA to space %u, attached is %u", n, self->at);
	}
}

/*
 * A change has returned: from now on all DMA is to space @to. Before it all was
 * to where the group was, in between to one of the two.
 */
static void changed(struct __test_metadata *_metadata,
		    struct _test_data_bridge *self, unsigned int to)
{
	double end = t_seconds() + 30;
	unsigned int n, done[2] = {};
	unsigned long sent[2];

	expect_nothing_in(_metadata, self, self->at, to);
	self->at = to;
	for (n = 0; n < SPACES; n++)
		look(self, n, done);
	done[0] = 0;
	done[1] = 0;
	for (n = 0; n < 2; n++)
		sent[n] = __atomic_load_n(&self->sender[n].sent,
					  __ATOMIC_SEQ_CST) + 10;
	/* Both go on, wherever to. */
	for (n = 0; n < 2; n++)
		while (__atomic_load_n(&self->sender[n].sent,
				       __ATOMIC_SEQ_CST) < sent[n]) {
			ASSERT_GT(end, t_seconds());
			usleep(500);
		}
	expect_nothing_in(_metadata, self, to, to);
	while (to != NOWHERE && (!done[0] || !done[1])) {
		ASSERT_GT(end, t_seconds())
			TH_LOG("no DMA to space %u", to);
		look(self, to, done);
	}
}

#define ATTACH(n_, space_)						\
	vfio_attach(self->sender[n_].nic.dev, self->ioas[space_], NULL)
#define DETACH(n_) vfio_detach(self->sender[n_].nic.dev)
#define CHANGED(to_) changed(_metadata, self, to_)

TEST_F(bridge, one_attachment)
{
	uint32_t first, second, manual;
	int dev = self->sender[1].nic.dev;

	/* Given to this process, and attached to nothing */
	CHANGED(NOWHERE);
	ASSERT_EQ(0, vfio_attach(self->sender[0].nic.dev, self->ioas[0],
				 &first));
	/* Who shares the requester ID is there too, attached or not. */
	CHANGED(0);
	EXPECT_EQ(EINVAL, ATTACH(1, 1));
	CHANGED(0);
	ASSERT_EQ(0, vfio_attach(dev, self->ioas[0], &second));
	EXPECT_EQ(first, second);
	/* One moves, and takes the other along. */
	ASSERT_EQ(0, vfio_attach(dev, self->ioas[1], &second));
	EXPECT_NE(first, second);
	CHANGED(1);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, first));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, second));
	ASSERT_EQ(0, DETACH(0));
	CHANGED(1);
	/* Back by the name of the page table, not by another's. */
	EXPECT_EQ(EINVAL, ATTACH(0, 0));
	ASSERT_EQ(0, vfio_attach(self->sender[0].nic.dev, second, &first));
	EXPECT_EQ(first, second);
	ASSERT_EQ(0, DETACH(1));
	CHANGED(1);
	ASSERT_EQ(0, DETACH(0));
	CHANGED(NOWHERE);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, second));
	/* To a second address space after a detach */
	ASSERT_EQ(0, ATTACH(1, 2));
	CHANGED(2);
	ASSERT_EQ(0, DETACH(1));
	CHANGED(NOWHERE);
	ASSERT_EQ(0, DETACH(1));

	/* A page table of one's own is another, of the same space too. */
	ASSERT_EQ(0, vfio_attach(self->sender[0].nic.dev, self->ioas[0],
				 &first));
	CHANGED(0);
	ASSERT_EQ(0, t_hwpt_alloc(self->fd, self->id[0], self->ioas[0],
				  0, &manual));
	EXPECT_EQ(EINVAL, vfio_attach(dev, manual, NULL));
	ASSERT_EQ(0, vfio_attach(dev, first, NULL));
	ASSERT_EQ(0, vfio_attach(dev, manual, NULL));
	CHANGED(0);
	EXPECT_EQ(ENOENT, t_destroy(self->fd, first));
	EXPECT_EQ(EBUSY, t_destroy(self->fd, manual));
	ASSERT_EQ(0, DETACH(0));
	ASSERT_EQ(0, DETACH(1));
	CHANGED(NOWHERE);
	EXPECT_EQ(0, t_destroy(self->fd, manual));
}

/* What is attached where, by the rules; the devices tell whether it is so. */
TEST_F(bridge, at_random)
{
	unsigned int i, n, space, to, want;
	bool attached[2] = {};
	uint64_t seed = 20;

	for (i = 0; i < 150; i++) {
		n = t_random(&seed) % 2;
		space = t_random(&seed) % SPACES;
		to = self->at;
		want = 0;
		if (t_random(&seed) % 3) {
			if (attached[n] || self->at == NOWHERE ||
			    self->at == space) {
				attached[n] = true;
				to = space;
			} else {
				want = EINVAL;
			}
			ASSERT_EQ(want, ATTACH(n, space));
		} else {
			attached[n] = false;
			if (!attached[!n])
				to = NOWHERE;
			ASSERT_EQ(0, DETACH(n));
		}
		CHANGED(to);
	}
}

/* Mappings come and go in the attached space, under the devices' hands. */
TEST_F(bridge, mappings_come_and_go)
{
	unsigned int i;

	ASSERT_EQ(0, ATTACH(0, 0));
	CHANGED(0);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, t_unmap(self->fd, self->ioas[0], IOVA, 3 * T_PAGE,
				     NULL));
		CHANGED(NOWHERE);
		/* The same IOVA, other memory */
		ASSERT_EQ(0, t_map_at(self->fd, self->ioas[0],
				      self->mem[i % SPACES], 3 * T_PAGE,
				      IOVA));
		CHANGED(i % SPACES);
	}
}

TEST_HARNESS_MAIN
