/* A camera of Video4Linux without a driver: preloaded, it answers what a program asks of /dev/video0 itself.
 *
 *   CAMERA_DEV       a directory that is listed in place of /dev
 *   CAMERA_TROUBLE   a file of lines "open N", "set N", "take N": while it is there, opening, setting a format, or
 *                    taking a picture fails with the errno N; "take 0" keeps pictures back and says nothing
 *   CAMERA_FORMAT    the four letters of the one format that it has, YUYV by default
 *
 * Pictures are 320x240 at 15 a second, red. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WIDTH 320
#define HEIGHT 240
#define RATE 15
#define BUFFERS 4
#define SIZE (WIDTH * HEIGHT * 2)
/* From one buffer to the next, whole pages. */
#define STEP 0x30000

/* Whether a file descriptor is the camera's, and which buffer is filled next. */
static char ours[1024];
static unsigned int filled, sequence;
/* As with drivers, nobody sets a format while pictures are taken. */
static int streaming;

/* The errno that an operation fails with; -1 for none. */
static int trouble(const char *operation)
{
	const char *path = getenv("CAMERA_TROUBLE");
	char word[16];
	int number, found = -1;
	FILE *file = path ? fopen(path, "r") : NULL;
	if (!file)
		return -1;
	while (fscanf(file, "%15s %d", word, &number) == 2)
		if (!strcmp(word, operation))
			found = number;
	fclose(file);
	return found;
}

static int fail(int number)
{
	errno = number;
	return -1;
}

static uint32_t format(void)
{
	const char *letters = getenv("CAMERA_FORMAT");
	if (!letters || strlen(letters) != 4)
		letters = "YUYV";
	return v4l2_fourcc(letters[0], letters[1], letters[2], letters[3]);
}

static int open_camera(void)
{
	static const uint8_t RED[4] = { 81, 90, 81, 240 };
	int fd, number = trouble("open");
	uint8_t *memory;
	if (number >= 0)
		return fail(number);
	fd = memfd_create("camera", MFD_CLOEXEC);
	if (fd < 0 || fd >= (int)sizeof ours || ftruncate(fd, BUFFERS * STEP) < 0)
		return fail(ENOMEM);
	memory = mmap(NULL, BUFFERS * STEP, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return fail(ENOMEM);
	for (size_t at = 0; at < BUFFERS * STEP; at += sizeof RED)
		memcpy(memory + at, RED, sizeof RED);
	munmap(memory, BUFFERS * STEP);
	ours[fd] = 1;
	return fd;
}

int open(const char *path, int flags, ...)
{
	static int (*next)(const char *, int, ...);
	va_list list;
	mode_t mode;
	if (!strcmp(path, "/dev/video0"))
		return open_camera();
	if (!next)
		next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_start(list, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
	va_end(list);
	return next(path, flags, mode);
}

int close(int fd)
{
	static int (*next)(int);
	if (!next)
		next = (int (*)(int))dlsym(RTLD_NEXT, "close");
	if (fd >= 0 && fd < (int)sizeof ours && ours[fd])
		ours[fd] = streaming = 0;
	return next(fd);
}

DIR *opendir(const char *path)
{
	static DIR *(*next)(const char *);
	const char *dev = getenv("CAMERA_DEV");
	if (!next)
		next = (DIR *(*)(const char *))dlsym(RTLD_NEXT, "opendir");
	return next(dev && !strcmp(path, "/dev") ? dev : path);
}

static int take(struct v4l2_buffer *buffer)
{
	struct timespec pause = { 0, 1000000000 / RATE };
	int number;
	nanosleep(&pause, NULL);
	while ((number = trouble("take")) == 0)
		nanosleep(&pause, NULL);
	if (number > 0)
		return fail(number);
	buffer->index = filled++ % BUFFERS;
	buffer->bytesused = SIZE;
	buffer->sequence = sequence++;
	return 0;
}

static int describe(unsigned long request, void *argument)
{
	struct v4l2_fmtdesc *desc = argument;
	struct v4l2_frmsizeenum *size = argument;
	struct v4l2_frmivalenum *interval = argument;
	struct v4l2_capability *capability = argument;
	switch (request) {
	case VIDIOC_QUERYCAP:
		memset(capability, 0, sizeof *capability);
		strcpy((char *)capability->driver, "none");
		strcpy((char *)capability->card, "Red camera");
		capability->capabilities = capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		return 0;
	case VIDIOC_ENUM_FMT:
		if (desc->index > 0)
			return fail(EINVAL);
		desc->pixelformat = format();
		return 0;
	case VIDIOC_ENUM_FRAMESIZES:
		if (size->index > 0)
			return fail(EINVAL);
		size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
		size->discrete = (struct v4l2_frmsize_discrete) { WIDTH, HEIGHT };
		return 0;
	case VIDIOC_ENUM_FRAMEINTERVALS:
		if (interval->index > 0)
			return fail(EINVAL);
		interval->type = V4L2_FRMIVAL_TYPE_DISCRETE;
		interval->discrete = (struct v4l2_fract) { 1, RATE };
		return 0;
	}
	return fail(ENOTTY);
}

static int answer(unsigned long request, void *argument)
{
	struct v4l2_format *form = argument;
	struct v4l2_streamparm *parm = argument;
	struct v4l2_requestbuffers *buffers = argument;
	struct v4l2_buffer *buffer = argument;
	int number = streaming && request == VIDIOC_S_FMT ? EBUSY : trouble("set");
	switch (request) {
	case VIDIOC_S_FMT:
	case VIDIOC_REQBUFS:
		if (number >= 0)
			return fail(number);
		if (request == VIDIOC_REQBUFS) {
			buffers->count = buffers->count < BUFFERS ? buffers->count : BUFFERS;
			return 0;
		}
		/* fall through */
	case VIDIOC_G_FMT:
		form->fmt.pix.width = WIDTH;
		form->fmt.pix.height = HEIGHT;
		form->fmt.pix.pixelformat = format();
		form->fmt.pix.bytesperline = 2 * WIDTH;
		form->fmt.pix.sizeimage = SIZE;
		return 0;
	case VIDIOC_G_PARM:
	case VIDIOC_S_PARM:
		parm->parm.capture.timeperframe = (struct v4l2_fract) { 1, RATE };
		return 0;
	case VIDIOC_QUERYBUF:
		buffer->length = SIZE;
		buffer->m.offset = buffer->index * STEP;
		return 0;
	case VIDIOC_DQBUF:
		return take(buffer);
	case VIDIOC_QBUF:
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF:
		/* Who has lost its device has lost it for all. */
		number = trouble("take");
		if (number > 0)
			return fail(number);
		if (request != VIDIOC_QBUF)
			streaming = request == VIDIOC_STREAMON;
		return 0;
	}
	return describe(request, argument);
}

static long (*next_syscall)(long, ...);

__attribute__((constructor)) static void find_syscall(void)
{
	next_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
}

/* How `v4l` asks for ioctls. */
long syscall(long number, ...)
{
	long arguments[6];
	va_list list;
	va_start(list, number);
	for (int n = 0; n < 6; n++)
		arguments[n] = va_arg(list, long);
	va_end(list);
	if (number == SYS_ioctl && arguments[0] >= 0 && arguments[0] < (long)sizeof ours && ours[arguments[0]])
		return answer(arguments[1] & 0xffffffff, (void *)arguments[2]);
	return next_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
			    arguments[5]);
}
