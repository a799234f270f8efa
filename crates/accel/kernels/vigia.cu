// The kernels of vigia: a batch of decoded frames to letterboxed tensors, and a detector's output to candidates.
//
// One source, two builds: NVRTC makes vigia.ptx of it (make_ptx.py), and g++ a host library of it that the double of
// libcuda launches (host.h). So there is no shared memory and no barrier here: each thread works for itself.
//
// The rules are those of the CPU's pre-processing (src/preprocess) and decoding (vigia-core, detection/head.rs); what is
// said there is not repeated. Floats may differ in the last bits: the device contracts a*b+c.

#ifdef VIGIA_HOST
#include "host.h"
#else
#include "device.h"
#endif

// ---- What the host writes: keep in step with src/cuda/layout.rs, which asserts sizes and offsets. ----

enum Format : u32 {
    NOTHING = 0,       // no frame: the image becomes padding
    NV12 = 1,          // planes: Y, UV; pitch in bytes
    P010 = 2,          // as NV12 with 16-bit samples, ten bits on top
    PLANAR = 3,        // planes: Y, U, V; chroma shifts say how they are halved; no chroma if plane 1 is null
    RGBX = 4,          // one plane of 4 bytes per pixel; the shares say which is which
    NV12_TEXTURE = 5,  // planes: texture objects that read single texels as integers, of 8 or 16 bits
};

// One image of the batch.
struct alignas(16) FrameDesc {
    u64 plane[3];  // device addresses, or texture objects
    u32 pitch[3];
    u32 format;
    u32 width, height;  // of the frame
    u32 left, top;      // of the frame in the tensor
    u32 fit_width, fit_height;
    u32 shift_x, shift_y;  // PLANAR
    // Channel c of the tensor, as grey level / 255 = samples . share[c] + black[c], in the samples' own unit.
    float share[3][3];
    float black[3];
    float floor;  // least confidence, for the head
    u32 deep;  // samples have 16 bits
};
static_assert(sizeof(FrameDesc) == 128, "layout.rs");

// What a model wants to see.
struct TensorDesc {
    u32 width, height;
    u32 half;                   // whether values are 16-bit floats
    float pad;                  // grey level
    float scale[3], offset[3];  // value = grey level * scale + offset, in tensor order
};
static_assert(sizeof(TensorDesc) == 40, "layout.rs");

enum Family : u32 {
    COLUMNS = 0,   // [N, 4+C, A]: YOLOv8, v9, v11
    ROWS = 1,      // [N, A, 5+C]: YOLOv5, v7
    GRID = 2,      // [N, A, 5+C]: YOLOX
    CORNERS = 3,   // [N, A, 6]: end to end
    QUERIES = 4,   // [N, A, 4+C]: RT-DETR
    LOGITS = 5,    // [N, A, C] and [N, A, 4]
};

struct HeadDesc {
    u32 family;
    u32 classes, anchors;
    u32 width, height;  // of the tensor
    u32 candidates_max;
    u32 stride;  // bytes from one image's candidates to the next one's
};
static_assert(sizeof(HeadDesc) == 28, "layout.rs");

struct Candidate {
    float x1, y1, x2, y2;  // tensor pixels
    float confidence;
    u32 class_id;
};
static_assert(sizeof(Candidate) == 24, "layout.rs");

// ---- Reading ----

// `bytes` bytes from `address` on, in the low end; above them lies anything. Reads only words that hold one of them.
DEVICE u32 bytes_at(u64 address, u32 bytes) {
    u32 shift = 8 * (u32)(address & 3);
    u64 word = address & ~3ull;
    u32 low = load_u32(word);
    u32 high = shift + 8 * bytes > 32 ? load_u32(word + 4) : 0;
    return (u32)((((u64)high << 32) | low) >> shift);
}

// Raw samples of two neighbours in a row.
struct Pair {
    u32 y0, u0, v0, y1, u1, v1;
};

// Each reader gives pixel `x` of row `row` and, if `two`, the one right of it.
struct ReadNv12 {
    static DEVICE Pair pair(const FrameDesc& f, u32 x, u32 row, bool two) {
        u32 luma = bytes_at(f.plane[0] + (u64)row * f.pitch[0] + x, two ? 2 : 1);
        // The neighbour of an odd pixel has chroma of its own.
        bool apart = two && (x & 1);
        u32 chroma = bytes_at(f.plane[1] + (u64)(row >> 1) * f.pitch[1] + (x & ~1u), apart ? 4 : 2);
        u32 second = apart ? chroma >> 16 : chroma;
        return {luma & 255, chroma & 255, chroma >> 8 & 255, luma >> 8 & 255, second & 255, second >> 8 & 255};
    }
};

struct ReadP010 {
    static DEVICE Pair pair(const FrameDesc& f, u32 x, u32 row, bool two) {
        u32 luma = bytes_at(f.plane[0] + (u64)row * f.pitch[0] + 2 * x, two ? 4 : 2);
        u64 at = f.plane[1] + (u64)(row >> 1) * f.pitch[1] + 2 * (x & ~1u);
        u32 chroma = bytes_at(at, 4);
        u32 second = two && (x & 1) ? bytes_at(at + 4, 4) : chroma;
        return {luma & 0xffff, chroma & 0xffff, chroma >> 16, luma >> 16, second & 0xffff, second >> 16};
    }
};

struct ReadPlanar {
    static DEVICE Pair pair(const FrameDesc& f, u32 x, u32 row, bool two) {
        u32 luma = bytes_at(f.plane[0] + (u64)row * f.pitch[0] + x, two ? 2 : 1);
        Pair p = {luma & 255, 128, 128, luma >> 8 & 255, 128, 128};
        if (f.plane[1] == 0) return p;
        u32 column = x >> f.shift_x;
        bool apart = two && (x + 1) >> f.shift_x != column;
        u64 offset = (u64)(row >> f.shift_y);
        u32 u = bytes_at(f.plane[1] + offset * f.pitch[1] + column, apart ? 2 : 1);
        u32 v = bytes_at(f.plane[2] + offset * f.pitch[2] + column, apart ? 2 : 1);
        p.u0 = u & 255, p.v0 = v & 255;
        p.u1 = apart ? u >> 8 & 255 : p.u0, p.v1 = apart ? v >> 8 & 255 : p.v0;
        return p;
    }
};

// The first three bytes stand where Y, U and V do.
struct ReadRgbx {
    static DEVICE Pair pair(const FrameDesc& f, u32 x, u32 row, bool two) {
        u64 at = f.plane[0] + (u64)row * f.pitch[0] + 4 * x;
        u32 first = bytes_at(at, 3), second = two ? bytes_at(at + 4, 3) : 0;
        return {first & 255, first >> 8 & 255, first >> 16 & 255, second & 255, second >> 8 & 255, second >> 16 & 255};
    }
};

// Block-linear arrays. The texture unit could mix, but would mix before colours are clamped, with 8-bit shares; texels are
// read one by one instead, and what they give is the same as from pitch-linear memory, bit for bit.
struct ReadTexture {
    static DEVICE Pair pair(const FrameDesc& f, u32 x, u32 row, bool two) {
        Texel y0 = texel(f.plane[0], x, row), c0 = texel(f.plane[1], x >> 1, row >> 1);
        Texel y1 = two ? texel(f.plane[0], x + 1, row) : y0;
        Texel c1 = two && (x & 1) ? texel(f.plane[1], (x + 1) >> 1, row >> 1) : c0;
        return {y0.x, c0.x, c0.y, y1.x, c1.x, c1.y};
    }
};

// ---- Letterbox ----

// The three channels in tensor order, 0..1.
struct Colour {
    float a, b, c;
};

DEVICE Colour colour(const FrameDesc& f, u32 y, u32 u, u32 v) {
    float fy = (float)y, fu = (float)u, fv = (float)v;
    const float(*s)[3] = f.share;
    return {unit(fy * s[0][0] + (fu * s[0][1] + (fv * s[0][2] + f.black[0]))),
            unit(fy * s[1][0] + (fu * s[1][1] + (fv * s[1][2] + f.black[1]))),
            unit(fy * s[2][0] + (fu * s[2][1] + (fv * s[2][2] + f.black[2])))};
}

DEVICE Colour mix(Colour a, Colour b, float share) {
    return {a.a + (b.a - a.a) * share, a.b + (b.b - a.b) * share, a.c + (b.c - a.c) * share};
}

// Two neighbours along one axis: half-pixel centres, bilinear, clamped at the edges.
struct Tap {
    u32 first;
    float share;  // of the second; zero where there is none
};

// (position + 1/2) * source / fit - 1/2 in whole numbers of 1 / (2 * fit), so that it is exact. Sides are below 2^15.
DEVICE Tap tap(u32 position, u32 source, u32 fit) {
    int at = (int)((2 * position + 1) * source) - (int)fit;
    int one = 2 * (int)fit;
    if (at <= 0) return {0, 0.f};
    float part = 1.f / (float)one;
    // May be off by one.
    int first = (int)((float)at * part);
    int rest = at - first * one;
    if (rest < 0) first--, rest += one;
    if (rest >= one) first++, rest -= one;
    if (first >= (int)source - 1) return {source - 1, 0.f};
    return {(u32)first, (float)rest * part};
}

template <class Read>
DEVICE Colour row_colour(const FrameDesc& f, Tap column, u32 row) {
    bool two = column.share > 0.f;
    Pair p = Read::pair(f, column.first, row, two);
    Colour first = colour(f, p.y0, p.u0, p.v0);
    return two ? mix(first, colour(f, p.y1, p.u1, p.v1), column.share) : first;
}

// Pixels in a row that one thread makes, so that it stores 8 or 16 bytes at once, and rows, which share their columns.
enum { QUAD = 4, ROWS_EACH = 2 };

// Four pixels of one row of the frame's place; those left and right of it stay as they are.
template <class Read>
DEVICE void four_colours(const FrameDesc& f, const Tap* columns, const bool* inside, u32 row, Colour* out) {
    Tap down = tap(row, f.height, f.fit_height);
    // A loop, so that the code is there once; the second turn is for frames that fall between rows.
#pragma unroll 1
    for (u32 below = 0; below < 2; below++) {
#pragma unroll
        for (u32 i = 0; i < QUAD; i++) {
            if (!inside[i]) continue;
            Colour c = row_colour<Read>(f, columns[i], down.first + below);
            out[i] = below ? mix(out[i], c, down.share) : c;
        }
        if (!(down.share > 0.f)) break;
    }
}

DEVICE void store(const TensorDesc& t, void* tensor, u64 at, u32 count, const float* v) {
    bool four = t.width % QUAD == 0;
    if (t.half) {
        half_t* to = (half_t*)tensor + at;
        if (four) return store_four(to, v);
        for (u32 i = 0; i < QUAD; i++) if (i < count) store_one(to + i, v[i]);
    } else {
        float* to = (float*)tensor + at;
        if (four) return store_four(to, v);
        for (u32 i = 0; i < QUAD; i++) if (i < count) store_one(to + i, v[i]);
    }
}

// Grid: tiles of the tensor in x and y, images of the batch in z. The format is in the descriptor, so a batch may mix
// cameras, and a graph that was captured once serves them all.
KERNEL letterbox(TensorDesc t, const FrameDesc* frames, void* tensors) {
    u32 x = (BLOCK_INDEX_X * BLOCK_X + THREAD_X) * QUAD;
    u32 y = BLOCK_INDEX_Y * BLOCK_Y * ROWS_EACH + THREAD_Y;
    if (x >= t.width || y >= t.height) return;
    FrameDesc f = frames[BLOCK_INDEX_Z];
    if (f.format == NOTHING) f.fit_width = f.fit_height = 0;
    Tap columns[QUAD];
    bool across[QUAD];
#pragma unroll
    for (u32 i = 0; i < QUAD; i++) {
        u32 at = x + i - f.left;
        across[i] = at < f.fit_width;
        columns[i] = tap(across[i] ? at : 0, f.width, f.fit_width);
    }
#pragma unroll 1
    for (u32 end = y + ROWS_EACH * BLOCK_Y; y < end && y < t.height; y += BLOCK_Y) {
        u32 row = y - f.top;
        Colour colours[QUAD];
        bool inside = row < f.fit_height;
        if (inside) {
            switch (f.format) {
                case NV12: four_colours<ReadNv12>(f, columns, across, row, colours); break;
                case P010: four_colours<ReadP010>(f, columns, across, row, colours); break;
                case PLANAR: four_colours<ReadPlanar>(f, columns, across, row, colours); break;
                case RGBX: four_colours<ReadRgbx>(f, columns, across, row, colours); break;
                case NV12_TEXTURE: four_colours<ReadTexture>(f, columns, across, row, colours); break;
            }
        }
        float value[3][QUAD];
#pragma unroll
        for (u32 i = 0; i < QUAD; i++) {
            bool frame = inside && across[i];
            value[0][i] = (frame ? colours[i].a * 255.f : t.pad) * t.scale[0] + t.offset[0];
            value[1][i] = (frame ? colours[i].b * 255.f : t.pad) * t.scale[1] + t.offset[1];
            value[2][i] = (frame ? colours[i].c * 255.f : t.pad) * t.scale[2] + t.offset[2];
        }
        u64 plane = (u64)t.width * t.height, at = 3 * plane * BLOCK_INDEX_Z + (u64)y * t.width + x;
#pragma unroll
        for (u32 c = 0; c < 3; c++) store(t, tensors, at + c * plane, t.width - x, value[c]);
    }
}

// ---- Look ----

// Brightness on a grid, by which vigia knows whether a camera sees at all: the samples of src/detect/picture.rs, 0 to 255.
enum { LOOK_COLUMNS = 32, LOOK_ROWS = 18 };

DEVICE u32 brightness(const FrameDesc& f, u32 x, u32 y) {
    u64 row = f.plane[0] + (u64)y * f.pitch[0];
    switch (f.format) {
        case NV12:
        case PLANAR: return bytes_at(row + x, 1) & 255;
        case P010: return bytes_at(row + 2 * x + 1, 1) & 255;
        case RGBX: {
            u32 p = bytes_at(row + 4 * x, 3);
            return ((p & 255) + (p >> 8 & 255) + (p >> 16 & 255)) / 3;
        }
        case NV12_TEXTURE: return texel(f.plane[0], x, y).x >> (f.deep ? 8 : 0);
        default: return 0;
    }
}

// Grid: samples in x, images in y, whose samples are `stride` bytes apart. Also clears the counts, for the head after it.
KERNEL look(const FrameDesc* frames, u32* counts, u8* looks, u32 stride) {
    u32 at = BLOCK_INDEX_X * BLOCK_X + THREAD_X;
    if (at >= LOOK_COLUMNS * LOOK_ROWS) return;
    if (at == 0) counts[BLOCK_INDEX_Y] = 0;
    const FrameDesc& f = frames[BLOCK_INDEX_Y];
    u32 x = (2 * (at % LOOK_COLUMNS) + 1) * f.width / (2 * LOOK_COLUMNS);
    u32 y = (2 * (at / LOOK_COLUMNS) + 1) * f.height / (2 * LOOK_ROWS);
    looks[(u64)BLOCK_INDEX_Y * stride + at] = (u8)brightness(f, x, y);
}

// ---- Head ----

DEVICE void append(const HeadDesc& h, u32* counts, Candidate* candidates, Candidate c) {
    bool finite = is_finite(c.x1) && is_finite(c.y1) && is_finite(c.x2) && is_finite(c.y2);
    if (!finite || !(c.x2 > c.x1) || !(c.y2 > c.y1)) return;
    if (c.confidence > 1.f) c.confidence = 1.f;
    // Counts on beyond the end, so that the host knows how many did not fit.
    u32 at = atomic_add(&counts[BLOCK_INDEX_Y], 1);
    if (at < h.candidates_max) ((Candidate*)((u8*)candidates + (u64)BLOCK_INDEX_Y * h.stride))[at] = c;
}

DEVICE Candidate centred(float cx, float cy, float w, float h, float confidence, u32 class_id) {
    return {cx - w / 2.f, cy - h / 2.f, cx + w / 2.f, cy + h / 2.f, confidence, class_id};
}

struct Best {
    u32 class_id;
    float score;
};

template <class T>
DEVICE Best best_class(const T* scores, u32 classes) {
    Best best = {0, -INFINITY_F};
    for (u32 c = 0; c < classes; c++) {
        float s = to_float(scores[c]);
        if (s > best.score) best = {c, s};
    }
    return best;
}

template <class T>
DEVICE bool column(const HeadDesc& h, const T* image, u32 anchor, float floor, Candidate* found) {
    u32 n = h.anchors;
    Best best = {~0u, floor};
    for (u32 c = 0; c < h.classes; c++) {
        float s = to_float(image[(u64)(4 + c) * n + anchor]);
        if (s >= best.score) best = {c, s};
    }
    if (best.class_id == ~0u) return false;
    float cx = to_float(image[anchor]), cy = to_float(image[n + anchor]);
    *found = centred(cx, cy, to_float(image[2 * n + anchor]), to_float(image[3 * n + anchor]), best.score, best.class_id);
    return true;
}

template <class T>
DEVICE bool row(const HeadDesc& h, const T* image, u32 anchor, float floor, Candidate* found) {
    const T* r = image + (u64)anchor * (5 + h.classes);
    float objectness = to_float(r[4]);
    if (!(objectness >= floor)) return false;
    Best best = best_class(r + 5, h.classes);
    float confidence = objectness * best.score;
    if (!(confidence >= floor)) return false;
    float cx = to_float(r[0]), cy = to_float(r[1]), w = to_float(r[2]), high = to_float(r[3]);
    if (h.family == GRID) {
        u32 cell = anchor, stride = 8;
        while (stride < 32 && cell >= (h.width / stride) * (h.height / stride)) {
            cell -= (h.width / stride) * (h.height / stride);
            stride *= 2;
        }
        u32 columns = h.width / stride > 0 ? h.width / stride : 1;
        float s = (float)stride;
        cx = (cx + (float)(cell % columns)) * s, cy = (cy + (float)(cell / columns)) * s;
        w = exponential(w) * s, high = exponential(high) * s;
    }
    *found = centred(cx, cy, w, high, confidence, best.class_id);
    return true;
}

template <class T>
DEVICE bool corners(const HeadDesc& h, const T* image, u32 anchor, float floor, Candidate* found) {
    const T* r = image + (u64)anchor * 6;
    float confidence = to_float(r[4]), id = to_float(r[5]);
    if (!(confidence >= floor) || !(id >= 0.f) || !(id < (float)h.classes)) return false;
    *found = {to_float(r[0]), to_float(r[1]), to_float(r[2]), to_float(r[3]), confidence, (u32)id};
    return true;
}

template <class T>
DEVICE bool query(const HeadDesc& h, const T* scores, const T* box, float floor, Candidate* found) {
    Best best = best_class(scores, h.classes);
    if (h.family == LOGITS) best.score = 1.f / (1.f + exponential(-best.score));
    if (!(best.score >= floor)) return false;
    float w = (float)h.width, high = (float)h.height;
    *found = centred(to_float(box[0]) * w, to_float(box[1]) * high, to_float(box[2]) * w, to_float(box[3]) * high,
                     best.score, best.class_id);
    return true;
}

// Grid: anchors in x, images in y. `second` is only for LOGITS. `counts` must be zero, one word per image.
template <class T>
DEVICE void head(const HeadDesc& h, const FrameDesc* frames, const T* output, const T* second, u32* counts,
                 Candidate* candidates) {
    u32 anchor = BLOCK_INDEX_X * BLOCK_X + THREAD_X;
    u32 image = BLOCK_INDEX_Y;
    if (anchor >= h.anchors || frames[image].format == NOTHING) return;
    float floor = frames[image].floor;
    Candidate found;
    bool any = false;
    u64 index = (u64)image * h.anchors + anchor;
    switch (h.family) {
        case COLUMNS:
            any = column(h, output + (u64)image * (4 + h.classes) * h.anchors, anchor, floor, &found);
            break;
        case ROWS:
        case GRID: any = row(h, output + (u64)image * (5 + h.classes) * h.anchors, anchor, floor, &found); break;
        case CORNERS: any = corners(h, output + (u64)image * 6 * h.anchors, anchor, floor, &found); break;
        case QUERIES: {
            const T* r = output + index * (4 + h.classes);
            any = query(h, r + 4, r, floor, &found);
            break;
        }
        case LOGITS: any = query(h, output + index * h.classes, second + index * 4, floor, &found); break;
    }
    if (any) append(h, counts, candidates, found);
}

KERNEL head_f32(HeadDesc h, const FrameDesc* frames, const float* output, const float* second, u32* counts,
                Candidate* candidates) {
    head(h, frames, output, second, counts, candidates);
}

KERNEL head_f16(HeadDesc h, const FrameDesc* frames, const half_t* output, const half_t* second, u32* counts,
                Candidate* candidates) {
    head(h, frames, output, second, counts, candidates);
}
