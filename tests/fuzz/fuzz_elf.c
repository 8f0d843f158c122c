/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as an ELF file: an answer or an error, never a crash, and what is answered can be read. */
#include "payload/elf.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_elf_ struct elf e = ELF_INIT;
	size_t read = 0;

	if (elf_parse(&e, data, size, NULL) < 0)
		return 0;
	for (size_t i = 0; i < e.needed.n; i++)
		read += strlen(e.needed.v[i]);
	if (read > size * ELF_NEEDED_MAX || (e.interp && strlen(e.interp) >= size))
		abort();
	return 0;
}
