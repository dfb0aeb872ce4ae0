# SPDX-License-Identifier: GPL-2.0-only
#
# Two readers: kbuild, once this is staged beside the driver's sources in a
# kernel tree, and a person in the checkout, for whom it is the front door.

ifneq ($(KERNELRELEASE),)

include $(src)/Kbuild.rooms

else

B := tools/iommufd/build
VM := tools/iommufd/vm

export KDIR IOMMUFD_CACHE JOBS V TIMEOUT TESTS QEMU QEMU_ARM64 KEEP CONFIG
export SOAK_SECONDS SOAK_SEED SOAK_THREADS

ARM64_DEPS := $(if $(filter arm64,$(CONFIG)),arm64 vm-arm64)

# make's own -jN is for make; the kernel builds take JOBS.
MAKEFLAGS += --no-print-directory
unexport MAKEFLAGS MFLAGS MAKELEVEL

help:
	@cat $(B)/help.txt

demo:
	@$(B)/deps.sh kernel vm $(ARM64_DEPS)
	@$(VM)/demo

test:
	@$(B)/deps.sh kernel vm
	@$(VM)/test

test-arm64:
	@$(B)/deps.sh kernel vm newer arm64 vm-arm64
	@$(VM)/test arm64

test-iommus:
	@$(B)/deps.sh kernel vm newer
	@$(VM)/test first
	@$(VM)/test amd

test-clients:
	@$(B)/deps.sh kernel vm clients
	@tools/iommufd/clients/run

vm:
	@$(B)/deps.sh kernel vm $(ARM64_DEPS)
	@$(VM)/shell

soak:
	@$(B)/deps.sh kernel vm
	@$(VM)/soak

bench:
	@$(B)/deps.sh kernel vm
	@tools/iommufd/bench/run

ctl:
	@$(B)/ctl.sh

kernel:
	@$(B)/deps.sh kernel $(filter arm64,$(CONFIG))
	@$(B)/kernel.sh $(or $(CONFIG),fast debug)

driver:
	@$(B)/deps.sh kernel $(filter arm64,$(CONFIG))
	@$(B)/kbuild.sh $(or $(CONFIG),debug) driver

modules:
	@$(B)/deps.sh kernel
	@$(B)/kernel.sh modules

check:
	@$(B)/deps.sh kernel check
	@$(B)/check.sh

docs:
	@$(B)/deps.sh kernel
	@$(B)/docs.sh

clean:
	@$(B)/clean.sh

.PHONY: help demo test test-arm64 test-iommus test-clients vm soak bench ctl kernel \
	driver modules check docs clean

endif
