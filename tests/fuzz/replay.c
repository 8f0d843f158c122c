/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a fuzz target over the files of its corpus, with any compiler and without libFuzzer: what was found
 * once stays fixed. Arguments are folders.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <stdint.h>

#define FILE_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The number of files run, or -1. */
static int replay(const char *folder)
{
	_cleanup_closedir_ DIR *d = opendir(folder);
	struct vt_err err = { 0 };
	struct dirent *e;
	char path[4096];
	int n = 0;

	while (d && (e = readdir(d)) != NULL) {
		_cleanup_buf_ struct buf b = BUF_INIT(FILE_MAX);

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (buf_read_file(&b, path, &err) < 0) {
			fprintf(stderr, "%s\n", err.msg);
			return -1;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)buf_str(&b), b.len);
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int n = replay(argv[i]);

		if (n <= 0) {
			fprintf(stderr, "no inputs in \"%s\"\n", argv[i]);
			return EXIT_FAILURE;
		}
		printf("%s: %d inputs\n", argv[i], n);
	}
	return EXIT_SUCCESS;
}
