#include "main/folder_names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

/* While a folder is read the names are a heap with the greatest on top: it has to go when a smaller
 * one comes and there is no room. */

static void
swap(char **a, char **b)
{
	char *was = *a;

	*a = *b;
	*b = was;
}

static void
sift_up(char **heap, size_t at)
{
	for (; at > 0 && strcmp(heap[(at - 1) / 2], heap[at]) < 0; at = (at - 1) / 2)
		swap(&heap[at], &heap[(at - 1) / 2]);
}

static void
sift_down(char **heap, size_t n, size_t at)
{
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && strcmp(heap[child + 1], heap[child]) > 0)
			child++;
		if (strcmp(heap[at], heap[child]) >= 0)
			return;
		swap(&heap[at], &heap[child]);
	}
}

static int
take_name(struct folder_names *f, const char *name)
{
	size_t bytes = strlen(name) + 1;
	char  *own;

	f->more = f->n == FOLDER_NAMES_MAX;
	if (f->more && strcmp(name, f->names[0]) >= 0)
		return 0;
	own = mem_alloc(bytes);
	if (own == NULL)
		return E_NOMEM;
	memcpy(own, name, bytes);
	if (!f->more) {
		f->names[f->n] = own;
		sift_up(f->names, f->n++);
		return 0;
	}
	mem_free(f->names[0]);
	f->names[0] = own;
	sift_down(f->names, f->n, 0);
	return 0;
}

static int
take_behind(struct folder_names *f, DIR *dir, const char *last)
{
	const struct dirent *e;
	int                  r = 0;

	while (r == 0) {
		errno = 0;
		e = readdir(dir);
		if (e == NULL)
			return errno != 0 ? E_IO : 0;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (last == NULL || strcmp(e->d_name, last) > 0)
			r = take_name(f, e->d_name);
	}
	return r;
}

static void
drop_names(struct folder_names *f)
{
	for (size_t i = 0; i < f->n; i++)
		mem_free(f->names[i]);
	f->n = 0;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
read_behind(struct folder_names *f, const char *last)
{
	DIR *dir = opendir(f->path);
	int  r, cause;

	if (dir == NULL)
		return E_IO;
	r = take_behind(f, dir, last);
	cause = errno;
	closedir(dir);
	errno = cause;
	qsort(f->names, f->n, sizeof(*f->names), by_bytes);
	return r;
}

int
folder_names_next(struct folder_names *f)
{
	char *last = NULL;
	int   r;

	if (f->names == NULL)
		f->names = mem_alloc(FOLDER_NAMES_MAX * sizeof(*f->names));
	if (f->names == NULL)
		return E_NOMEM;
	if (f->n > 0) {
		swap(&last, &f->names[f->n - 1]);
		f->n--;
	}
	drop_names(f);
	f->more = false;
	r = read_behind(f, last);
	mem_free(last);
	return r;
}

void
folder_names_done(struct folder_names *f)
{
	drop_names(f);
	mem_free(f->names);
	f->names = NULL;
}
