/* SPDX-License-Identifier: MIT */
/* replay FILE... plays kept inputs, without libFuzzer. */
#include "fuzz.h"

static void play(const char *path)
{
	FILE *file = fopen(path, "rb");
	long size;
	uint8_t *data;

	MUST(file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0);
	rewind(file);
	/* Of the exact size, so that a sanitizer sees a read past its end. */
	data = malloc((size_t)size + (size == 0));
	MUST(data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size);
	fclose(file);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "no inputs: name the files of tests/fuzz/corpus\n");
		return 1;
	}
	for (int i = 1; i < argc; i++)
		play(argv[i]);
	return 0;
}
