// What vigia.cu needs of a host compiler, and the loop that takes the place of a grid.
#include <cmath>
#include <cstdint>
#include <cstring>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;

// Added to each device address of the double, so that nobody reads device memory as his own by accident; keep in step
// with doubles/cuda/src/memory.rs.
static const u64 DEVICE_BASE = 1ull << 60;

struct Index {
    u32 x, y, z;
};
static thread_local Index block_dim, block_index, thread_index;

#define DEVICE inline __attribute__((always_inline))
#define KERNEL static void
#define BLOCK_X block_dim.x
#define BLOCK_Y block_dim.y
#define BLOCK_INDEX_X block_index.x
#define BLOCK_INDEX_Y block_index.y
#define BLOCK_INDEX_Z block_index.z
#define THREAD_X thread_index.x
#define THREAD_Y thread_index.y
#define INFINITY_F INFINITY

struct half_t {
    u16 bits;
};

struct Texel {
    u32 x, y;
};

// What a texture object of the double points to; keep in step with doubles/cuda/src/texture.rs.
struct HostTexture {
    u64 data;
    u32 pitch, width, height;
    u32 channels, bytes;  // per texel, and per channel
};

DEVICE float unit(float v) { return v > 0.f ? (v < 1.f ? v : 1.f) : 0.f; }
DEVICE bool is_finite(float v) { return std::isfinite(v); }
DEVICE float exponential(float v) { return std::exp(v); }
DEVICE u32 atomic_add(u32* at, u32 n) { return __atomic_fetch_add(at, n, __ATOMIC_RELAXED); }

DEVICE u32 load_u32(u64 address) {
    u32 word;
    memcpy(&word, (const void*)(address - DEVICE_BASE), 4);
    return word;
}

DEVICE u32 sample_at(const HostTexture* t, u32 x, u32 y, u32 channel) {
    if (channel >= t->channels) return 0;
    const u8* at = (const u8*)t->data + (u64)y * t->pitch + (u64)(x * t->channels + channel) * t->bytes;
    u16 two;
    memcpy(&two, at, t->bytes == 2 ? 2 : 1);
    return t->bytes == 2 ? two : *at;
}

// Addresses beyond the edges are clamped, as the objects we make are told to.
DEVICE Texel texel(u64 object, u32 x, u32 y) {
    const HostTexture* t = (const HostTexture*)object;
    x = x < t->width ? x : t->width - 1, y = y < t->height ? y : t->height - 1;
    return {sample_at(t, x, y, 0), sample_at(t, x, y, 1)};
}

DEVICE float to_float(float v) { return v; }
DEVICE float to_float(half_t v) {
    u32 sign = (u32)(v.bits >> 15) << 31, exponent = v.bits >> 10 & 31, mantissa = v.bits & 1023;
    if (exponent == 0) {
        float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    u32 bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

// To the nearest, ties to even, as cvt.rn does.
DEVICE half_t to_half(float v) {
    u32 bits;
    memcpy(&bits, &v, 4);
    u16 sign = bits >> 16 & 0x8000;
    u32 magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return {(u16)(sign | 0x7fff)};
    if (magnitude >= 0x477ff000) return {(u16)(sign | 0x7c00)};
    if (magnitude < 0x38800000) {
        float tiny;
        memcpy(&tiny, &magnitude, 4);
        return {(u16)(sign | (u16)std::nearbyint(tiny * 0x1p24f))};
    }
    u32 even = magnitude >> 13 & 1;
    return {(u16)(sign | (u16)((magnitude - 0x38000000 + 0xfff + even) >> 13))};
}

DEVICE void store_one(float* to, float v) { *to = v; }
DEVICE void store_one(half_t* to, float v) { *to = to_half(v); }
DEVICE void store_four(float* to, const float* v) { memcpy(to, v, 16); }
DEVICE void store_four(half_t* to, const float* v) {
    for (u32 i = 0; i < 4; i++) to[i] = to_half(v[i]);
}
