// SPDX-License-Identifier: GPL-2.0-only
/**
 * DOC: sealing second-stage tables of Intel VT-d
 *
 * Some processors get it wrong when a nested walk meets a second stage that
 * forbids writing (ERRATA_772415_SPR17).  Page tables that have to be writable
 * for that reason are not sealed.
 */
#define PT_FMT vtdss
#define PT_SUPPORTED_FEATURES                                            \
	(BIT(PT_FEAT_FLUSH_RANGE) | BIT(PT_FEAT_VTDSS_FORCE_COHERENCE) | \
	 BIT(PT_FEAT_VTDSS_FORCE_WRITEABLE) | BIT(PT_FEAT_DMA_INCOHERENT))
#define SEAL_DEFS_H "../generic_pt/fmt/defs_vtdss.h"
#define SEAL_FMT_H "../generic_pt/fmt/vtdss.h"
#define SEAL_WRITE ((u64)VTDSS_FMT_W)
#define SEAL_FORBIDDEN PT_FEAT_VTDSS_FORCE_WRITEABLE
#include "space/seal_pt.h"

struct iofd_seal_format iofd_seal_vtdss = {
	.driver_read = pt_iommu_vtdss_read_and_clear_dirty,
	.set_writable = set_writable,
};
