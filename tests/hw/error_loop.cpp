// Writes random words through a Verilated drawn_buffer, as fast as it takes them, and counts what erred.
// For statistics that need more draws than a bench in Python can make. Called through ctypes.

#include <array>
#include <cstddef>
#include <cstdint>

#include "Vdrawn_buffer.h"
#include "verilated.h"

namespace {

constexpr std::size_t kDepth = DEPTH;

// Targets have to be random, but no kin of the stream under test: Marsaglia's xorshift.
std::uint64_t next_target(std::uint64_t &state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void clock(Vdrawn_buffer &top) {
    top.clk_i = 0;
    top.eval();
    top.clk_i = 1;
    top.eval();
}

std::uint64_t ones(std::uint64_t word) { return static_cast<std::uint64_t>(__builtin_popcountll(word)); }

}  // namespace

// What was seen at the ports, by target bit (0, 1), and what the module counted itself.
struct Totals {
    std::uint64_t written[2];
    std::uint64_t switched[2];  // target differed from the old bit
    std::uint64_t errors[2];
    std::uint64_t counted_written, counted_switched, counted_errors[2];
};

// Writes `words` words of 64 bits from a restart on. `errors`, unless null, receives each word's
// wrong bits.
extern "C" void error_loop(std::uint32_t mode, std::uint32_t rate1, std::uint32_t rate0,
                           std::uint32_t seed, std::uint64_t targets, std::uint64_t words,
                           Totals *totals, std::uint64_t *errors) {
    VerilatedContext context;
    Vdrawn_buffer top{&context};
    // Rates and seed of memory 1, one after the other; see cfg_write_t.
    top.rst_ni = 0;
    const std::uint32_t written[3] = {seed, rate0, rate1};
    for (int word = 0; word < 3; ++word) {
        top.cfg_write_i = std::uint64_t{1} << (38 + word) | std::uint64_t{1} << 32 | written[word];
        clock(top);
    }
    top.cfg_write_i = 0;
    top.mode_i = mode;
    clock(top);
    top.rst_ni = 1;
    top.in_valid_i = 1;
    top.out_ready_i = 1;
    *totals = {};

    std::array<std::uint64_t, kDepth> memory{};  // what the words hold, by address
    std::array<std::uint64_t, kDepth> target{};  // what was written, until it is read back
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t next = next_target(targets);
    // One cycle more than the last word needs, for the counts, which come a cycle later.
    for (int after = 0; after < 2; after += received == words) {
        top.in_valid_i = sent < words;
        top.in_data_i = next;
        top.clk_i = 0;
        top.eval();
        if (top.in_valid_i && top.in_ready_o) {
            target[sent++ % kDepth] = next;
            next = next_target(targets);
        }
        if (top.out_valid_o) {
            const std::uint64_t want = target[received % kDepth];
            const std::uint64_t stored = top.out_data_o;
            std::uint64_t &old = memory[received % kDepth];
            const std::uint64_t wrong = stored ^ want;
            const std::uint64_t differs = old ^ want;
            for (int bit = 0; bit < 2; ++bit) {
                const std::uint64_t these = bit ? want : ~want;
                totals->written[bit] += ones(these);
                totals->switched[bit] += ones(differs & these);
                totals->errors[bit] += ones(wrong & these);
            }
            if (errors) errors[received] = wrong;
            old = stored;
            ++received;
        }
        totals->counted_written += top.count_o >> 24;
        totals->counted_switched += top.count_o >> 16 & 0xFF;
        totals->counted_errors[1] += top.count_o >> 8 & 0xFF;
        totals->counted_errors[0] += top.count_o & 0xFF;
        top.clk_i = 1;
        top.eval();
    }
    top.final();
}
