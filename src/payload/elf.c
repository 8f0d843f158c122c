/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Only the program headers are believed, as the kernel and the loader do: section headers may be stripped.
 * All reads go through range(), the one place that compares an offset and a length with the size of the
 * image; addresses are turned into offsets through PT_LOAD and then checked there as well. The image is a
 * private copy in memory, so that a file that changes under us cannot undo a check (an mmap could).
 */
#include "payload/elf.h"

#include "base/cleanup.h"
#include "base/xalloc.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

struct image {
	const uint8_t *data;
	size_t size;
	Elf64_Ehdr eh;
};

/* The `len` bytes at `off`, or NULL when they are not all there. */
static const uint8_t *range(const struct image *im, uint64_t off, uint64_t len)
{
	if (off > im->size || len > im->size - off)
		return NULL;
	return im->data + off;
}

static int phdr_at(const struct image *im, unsigned i, Elf64_Phdr *ph)
{
	uint64_t step = (uint64_t)i * sizeof *ph;
	const uint8_t *p;

	if (im->eh.e_phoff > UINT64_MAX - step)
		return -EBADMSG;
	p = range(im, im->eh.e_phoff + step, sizeof *ph);
	if (!p)
		return -EBADMSG;
	memcpy(ph, p, sizeof *ph); /* no alignment is promised */
	return 0;
}

/* File bytes from virtual address `addr` on: their start and how many the segment has from there. */
static const uint8_t *at_address(const struct image *im, uint64_t addr, uint64_t *avail)
{
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		Elf64_Phdr ph;
		const uint8_t *p;

		if (phdr_at(im, i, &ph) < 0)
			return NULL;
		if (ph.p_type != PT_LOAD || addr < ph.p_vaddr || addr - ph.p_vaddr >= ph.p_filesz)
			continue;
		p = range(im, ph.p_offset, ph.p_filesz);
		if (!p)
			return NULL;
		*avail = ph.p_filesz - (addr - ph.p_vaddr);
		return p + (addr - ph.p_vaddr);
	}
	return NULL;
}

/* A copy of the NUL-terminated, non-empty string at `off` of a table; NULL when it is not one. */
static char *string_at(const uint8_t *tab, uint64_t size, uint64_t off)
{
	uint64_t left = off < size ? size - off : 0;

	if (left > ELF_STRING_MAX)
		left = ELF_STRING_MAX;
	if (left == 0 || tab[off] == '\0' || !memchr(tab + off, '\0', left))
		return NULL;
	return xstrdup((const char *)tab + off);
}

static int read_head(struct image *im, struct vt_err *err)
{
	const uint8_t *p = range(im, 0, SELFMAG);

	if (!p || memcmp(p, ELFMAG, SELFMAG) != 0)
		return vt_fail(err, -ENOEXEC, "not an ELF file");
	p = range(im, 0, EI_NIDENT);
	if (!p)
		return vt_fail(err, -EBADMSG, "malformed ELF file: cut off in its header");
	if (p[EI_CLASS] != ELFCLASS64 || p[EI_DATA] != ELFDATA2LSB)
		return vt_fail(err, -ENOTSUP, "not a 64-bit little-endian ELF file");
	p = range(im, 0, sizeof im->eh);
	if (!p)
		return vt_fail(err, -EBADMSG, "malformed ELF file: cut off in its header");
	memcpy(&im->eh, p, sizeof im->eh);
	if (im->eh.e_phnum && im->eh.e_phentsize != sizeof(Elf64_Phdr))
		return vt_fail(err, -EBADMSG, "malformed ELF file: program headers of %u bytes",
			im->eh.e_phentsize);
	return 0;
}

static int read_interp(struct elf *e, const struct image *im, const Elf64_Phdr *ph, struct vt_err *err)
{
	const uint8_t *p = range(im, ph->p_offset, ph->p_filesz);

	if (e->interp)
		return vt_fail(err, -EBADMSG, "malformed ELF file: two interpreters");
	e->interp = p ? string_at(p, ph->p_filesz, 0) : NULL;
	if (!e->interp)
		return vt_fail(err, -EBADMSG, "malformed ELF file: the interpreter's path does not end");
	return 0;
}

struct strtab {
	const uint8_t *data;
	uint64_t size;
};

static int find_strtab(struct strtab *st, const struct image *im, const uint8_t *dyn, uint64_t n,
	struct vt_err *err)
{
	uint64_t addr = 0, size = 0, avail = 0;

	for (uint64_t i = 0; i < n; i++) {
		Elf64_Dyn d;

		memcpy(&d, dyn + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_STRTAB)
			addr = d.d_un.d_ptr;
		else if (d.d_tag == DT_STRSZ)
			size = d.d_un.d_val;
	}
	st->data = at_address(im, addr, &avail);
	st->size = size < avail ? size : avail;
	if (!st->data || !size)
		return vt_fail(err, -EBADMSG, "malformed ELF file: its dynamic section has no string table");
	return 0;
}

/* One string of the dynamic section into *slot (a later one replaces it, as in the loader). */
static int take(char **slot, const struct strtab *st, uint64_t off, struct vt_err *err)
{
	char *s = string_at(st->data, st->size, off);

	if (!s && off < st->size && st->data[off] == '\0')
		return 0; /* an empty RPATH is legal and means nothing */
	if (!s)
		return vt_fail(err, -EBADMSG, "malformed ELF file: a name lies outside its string table");
	free(*slot);
	*slot = s;
	return 0;
}

static int read_tag(struct elf *e, const struct strtab *st, const Elf64_Dyn *d, struct vt_err *err)
{
	_cleanup_free_ char *name = NULL;
	int r;

	switch (d->d_tag) {
	case DT_SONAME:
		return take(&e->soname, st, d->d_un.d_val, err);
	case DT_RPATH:
		return take(&e->rpath, st, d->d_un.d_val, err);
	case DT_RUNPATH:
		return take(&e->runpath, st, d->d_un.d_val, err);
	case DT_NEEDED:
		if (e->needed.n >= ELF_NEEDED_MAX)
			return vt_fail(err, -EBADMSG, "malformed ELF file: needs over %d libraries",
				ELF_NEEDED_MAX);
		r = take(&name, st, d->d_un.d_val, err);
		if (r < 0)
			return r;
		if (!name)
			return vt_fail(err, -EBADMSG, "malformed ELF file: needs a library without a name");
		strvec_push(&e->needed, name);
		return 0;
	default:
		return 0;
	}
}

static int read_dynamic(struct elf *e, const struct image *im, const Elf64_Phdr *ph, struct vt_err *err)
{
	const uint8_t *dyn = range(im, ph->p_offset, ph->p_filesz);
	uint64_t n = ph->p_filesz / sizeof(Elf64_Dyn);
	struct strtab st;
	int r;

	if (!dyn || e->dynamic)
		return vt_fail(err, -EBADMSG, "malformed ELF file: %s", dyn ? "two dynamic sections"
			: "its dynamic section lies outside the file");
	e->dynamic = true;
	r = find_strtab(&st, im, dyn, n, err);
	for (uint64_t i = 0; r == 0 && i < n; i++) {
		Elf64_Dyn d;

		memcpy(&d, dyn + i * sizeof d, sizeof d);
		if (d.d_tag == DT_NULL)
			break;
		r = read_tag(e, &st, &d, err);
	}
	return r;
}

int elf_parse(struct elf *e, const void *data, size_t size, struct vt_err *err)
{
	_cleanup_elf_ struct elf got = ELF_INIT;
	struct image im = { .data = data, .size = size };
	int r = read_head(&im, err);

	got.machine = im.eh.e_machine;
	for (unsigned i = 0; r == 0 && i < im.eh.e_phnum; i++) {
		Elf64_Phdr ph;

		if (phdr_at(&im, i, &ph) < 0)
			return vt_fail(err, -EBADMSG, "malformed ELF file: cut off in its program headers");
		if (ph.p_type == PT_INTERP)
			r = read_interp(&got, &im, &ph, err);
		else if (ph.p_type == PT_DYNAMIC)
			r = read_dynamic(&got, &im, &ph, err);
	}
	if (r < 0)
		return r;
	*e = got;
	got = ELF_INIT;
	return 0;
}

int elf_read(struct elf *e, int fd, const char *name, struct vt_err *err)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t have = 0, size;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return vt_fail_errno(err, "cannot look at '%s'", name);
	if (!S_ISREG(st.st_mode))
		return vt_fail(err, -ENOEXEC, "'%s' is not a file", name);
	if ((uint64_t)st.st_size > ELF_FILE_MAX)
		return vt_fail(err, -EFBIG, "'%s' is larger than %zu bytes", name, ELF_FILE_MAX);
	size = (size_t)st.st_size;
	data = malloc(size ? size : 1);
	if (!data)
		return vt_fail(err, -ENOMEM, "cannot read '%s': out of memory", name);
	while (have < size) {
		ssize_t n = pread(fd, data + have, size - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vt_fail_errno(err, "cannot read '%s'", name);
		if (n == 0)
			break; /* it shrank: what is left is checked like anything else */
		have += (size_t)n;
	}
	r = elf_parse(e, data, have, err);
	return r < 0 ? vt_wrap(err, "'%s'", name), r : 0;
}

void elf_release(struct elf *e)
{
	free(e->interp);
	free(e->soname);
	free(e->rpath);
	free(e->runpath);
	strvec_release(&e->needed);
	*e = ELF_INIT;
}

bool elf_machine_native(uint16_t machine)
{
#if defined(__x86_64__)
	return machine == EM_X86_64;
#elif defined(__aarch64__)
	return machine == EM_AARCH64;
#elif defined(__riscv)
	return machine == EM_RISCV;
#else
#error "tell elf_machine_native() the ELF machine type of this architecture"
#endif
}
