/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dynamic loader would want to know of an ELF64 file of this machine's kind: the interpreter, the
 * libraries needed and where they are searched. The file is hostile until proved otherwise: every offset is
 * checked against the bytes that are there.
 */
#ifndef VTAX_PAYLOAD_ELF_H
#define VTAX_PAYLOAD_ELF_H

#include "base/err.h"
#include "base/strvec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf {
	uint16_t machine;     /* EM_… */
	bool dynamic;	      /* has a dynamic section */
	char *interp;	      /* PT_INTERP; NULL: none (static, or a library) */
	char *soname;	      /* DT_SONAME; NULL: none */
	char *rpath, *runpath; /* DT_RPATH, DT_RUNPATH as written; NULL: none */
	struct strvec needed; /* DT_NEEDED in order */
};

#define ELF_INIT ((struct elf){ 0 })
#define ELF_FILE_MAX ((size_t)512 << 20) /* bytes; larger files are refused */
#define ELF_NEEDED_MAX 512		 /* more libraries than any real program wants */
#define ELF_STRING_MAX 65536		 /* longest name or search path believed */

/*
 * Reads an image in memory. -ENOEXEC: not an ELF file at all (no message that matters), -EBADMSG: malformed,
 * -ENOTSUP: an ELF file, but not 64-bit little-endian. *e is untouched on failure.
 */
int elf_parse(struct elf *e, const void *image, size_t size, struct vt_err *err);

/* The same for what is behind a descriptor; `name` is for messages. -EFBIG past ELF_FILE_MAX. */
int elf_read(struct elf *e, int fd, const char *name, struct vt_err *err);

void elf_release(struct elf *e);

#define _cleanup_elf_ __attribute__((cleanup(elf_release)))

/* Whether libraries and programs of this machine type run here. */
bool elf_machine_native(uint16_t machine);

#endif
