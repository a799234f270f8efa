// What vigia.cu needs of a GPU. NVRTC has no headers but its own.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define DEVICE __device__ __forceinline__
#define KERNEL extern "C" __global__ void
#define BLOCK_X blockDim.x
#define BLOCK_Y blockDim.y
#define BLOCK_INDEX_X blockIdx.x
#define BLOCK_INDEX_Y blockIdx.y
#define BLOCK_INDEX_Z blockIdx.z
#define THREAD_X threadIdx.x
#define THREAD_Y threadIdx.y
#define INFINITY_F __int_as_float(0x7f800000)

struct half_t {
    u16 bits;
};

struct Texel {
    u32 x, y;
};

DEVICE float unit(float v) { return __saturatef(v); }
DEVICE bool is_finite(float v) { return (__float_as_uint(v) & 0x7f800000u) != 0x7f800000u; }
DEVICE float exponential(float v) { return expf(v); }
DEVICE u32 atomic_add(u32* at, u32 n) { return atomicAdd(at, n); }

// Frames are read once and written by nobody meanwhile: the read-only path.
DEVICE u32 load_u32(u64 address) {
    u32 word;
    asm("ld.global.nc.u32 %0, [%1];" : "=r"(word) : "l"(address));
    return word;
}

DEVICE Texel texel(u64 object, u32 x, u32 y) {
    u32 a, b, c, d;
    asm("tex.2d.v4.u32.s32 {%0, %1, %2, %3}, [%4, {%5, %6}];"
        : "=r"(a), "=r"(b), "=r"(c), "=r"(d)
        : "l"(object), "r"(x), "r"(y));
    return {a, b};
}

DEVICE float to_float(float v) { return v; }
DEVICE float to_float(half_t v) {
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(v.bits));
    return f;
}

DEVICE half_t to_half(float v) {
    half_t h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(v));
    return h;
}

DEVICE void store_one(float* to, float v) { *to = v; }
DEVICE void store_one(half_t* to, float v) { *to = to_half(v); }
DEVICE void store_four(float* to, const float* v) { *(float4*)to = make_float4(v[0], v[1], v[2], v[3]); }
DEVICE void store_four(half_t* to, const float* v) {
    ushort4 four = {to_half(v[0]).bits, to_half(v[1]).bits, to_half(v[2]).bits, to_half(v[3]).bits};
    *(ushort4*)to = four;
}
