/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small ELF64 file made by hand, for tests that want to say exactly what is in it (and then break it). Not a
 * program: only what a reader of program headers looks at.
 */
#ifndef VTAX_TESTS_ELF_IMAGE_H
#define VTAX_TESTS_ELF_IMAGE_H

#include <elf.h>
#include <stdint.h>
#include <string.h>

#define IMAGE_SIZE 2048
#define IMAGE_PHDRS 64
#define IMAGE_INTERP 256
#define IMAGE_STRTAB 512
#define IMAGE_DYN 1024
#define IMAGE_VADDR 0x400000

#if defined(__x86_64__)
#define IMAGE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define IMAGE_MACHINE EM_AARCH64
#else
#define IMAGE_MACHINE EM_RISCV
#endif

struct image {
	uint8_t bytes[IMAGE_SIZE];
	size_t strings; /* used of the string table */
	size_t dyns;	/* entries before the closing DT_NULL */
};

static inline Elf64_Ehdr *image_eh(struct image *im)
{
	return (Elf64_Ehdr *)(void *)im->bytes;
}

static inline Elf64_Phdr *image_ph(struct image *im, unsigned i)
{
	return (Elf64_Phdr *)(void *)(im->bytes + IMAGE_PHDRS) + i;
}

static inline Elf64_Dyn *image_dyn(struct image *im, size_t i)
{
	return (Elf64_Dyn *)(void *)(im->bytes + IMAGE_DYN) + i;
}

static inline void image_tag(struct image *im, int64_t tag, uint64_t val)
{
	image_dyn(im, im->dyns++)->d_tag = tag;
	image_dyn(im, im->dyns - 1)->d_un.d_val = val;
}

/* DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH with a text. */
static inline void image_text(struct image *im, int64_t tag, const char *text)
{
	size_t at = im->strings;

	memcpy(im->bytes + IMAGE_STRTAB + at, text, strlen(text) + 1);
	im->strings += strlen(text) + 1;
	image_tag(im, tag, at);
}

/* PT_LOAD over everything, PT_DYNAMIC, and PT_INTERP unless interp is NULL. */
static inline void image_init(struct image *im, const char *interp)
{
	Elf64_Ehdr *eh = image_eh(im);

	memset(im, 0, sizeof *im);
	im->strings = 1;
	memcpy(eh->e_ident, ELFMAG, SELFMAG);
	eh->e_ident[EI_CLASS] = ELFCLASS64;
	eh->e_ident[EI_DATA] = ELFDATA2LSB;
	eh->e_type = ET_DYN;
	eh->e_machine = IMAGE_MACHINE;
	eh->e_phoff = IMAGE_PHDRS;
	eh->e_phentsize = sizeof(Elf64_Phdr);
	eh->e_phnum = interp ? 3 : 2;
	*image_ph(im, 0) = (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = IMAGE_VADDR, .p_filesz = IMAGE_SIZE };
	*image_ph(im, 1) = (Elf64_Phdr){ .p_type = PT_DYNAMIC, .p_offset = IMAGE_DYN, .p_filesz = 512 };
	if (interp) {
		memcpy(im->bytes + IMAGE_INTERP, interp, strlen(interp) + 1);
		*image_ph(im, 2) = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = IMAGE_INTERP,
			.p_filesz = strlen(interp) + 1 };
	}
	image_tag(im, DT_STRTAB, IMAGE_VADDR + IMAGE_STRTAB);
	image_tag(im, DT_STRSZ, IMAGE_DYN - IMAGE_STRTAB);
}

#endif
