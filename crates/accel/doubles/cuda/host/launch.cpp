// Runs a kernel of vigia.cu on the host: one call per thread of the grid, one after the other.
#include "vigia.cu"

template <class Kernel>
static void each_thread(const u32* grid, const u32* block, Kernel kernel) {
    block_dim = {block[0], block[1], block[2]};
    for (block_index.z = 0; block_index.z < grid[2]; block_index.z++)
        for (block_index.y = 0; block_index.y < grid[1]; block_index.y++)
            for (block_index.x = 0; block_index.x < grid[0]; block_index.x++)
                for (thread_index.y = 0; thread_index.y < block[1]; thread_index.y++)
                    for (thread_index.x = 0; thread_index.x < block[0]; thread_index.x++) kernel();
}

template <class T>
static T value(void** args, int index) {
    T v;
    memcpy(&v, args[index], sizeof v);
    return v;
}

// A pointer parameter; null stays null.
template <class T>
static T* memory(void** args, int index) {
    u64 address = value<u64>(args, index);
    return (T*)(address ? address - DEVICE_BASE : 0);
}

template <class T>
static void head_of(const u32* grid, const u32* block, void** a, void (*kernel)(HeadDesc, const FrameDesc*, const T*, const T*, u32*, Candidate*)) {
    each_thread(grid, block, [&] {
        kernel(value<HeadDesc>(a, 0), memory<FrameDesc>(a, 1), memory<T>(a, 2), memory<T>(a, 3), memory<u32>(a, 4),
               memory<Candidate>(a, 5));
    });
}

// Which kernels there are; 1 if `name` is none of them. With a null grid nothing runs.
extern "C" int vigia_host_launch(const char* name, const u32* grid, const u32* block, void** args) {
    if (!strcmp(name, "letterbox")) {
        if (grid)
            each_thread(grid, block, [&] {
                letterbox(value<TensorDesc>(args, 0), memory<FrameDesc>(args, 1), memory<void>(args, 2));
            });
    } else if (!strcmp(name, "look")) {
        if (grid)
            each_thread(grid, block, [&] {
                look(memory<FrameDesc>(args, 0), memory<u32>(args, 1), memory<u8>(args, 2), value<u32>(args, 3));
            });
    } else if (!strcmp(name, "head_f32")) {
        if (grid) head_of<float>(grid, block, args, head_f32);
    } else if (!strcmp(name, "head_f16")) {
        if (grid) head_of<half_t>(grid, block, args, head_f16);
    } else {
        return 1;
    }
    return 0;
}
