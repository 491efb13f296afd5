// Runs an accelerator for its timing alone, with buffers whose depths can be changed: see sim/depths.py.
//
// buffers.h, generated, has the table of buffers, in the order of accel.json.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "Vaccel.h"
#include "Vaccel___024root.h"
#include "verilated.h"

using Root = Vaccel___024root;

struct Buffer {
    void (*limit)(Root &, std::uint32_t);
    std::uint32_t (*level)(const Root &);
};

struct Stream {
    bool (*valid)(const Root &);
    bool (*ready)(const Root &);
};

#include "buffers.h"

namespace {

constexpr int kResetCycles = 32;

class Simulator {
  public:
    Simulator() : context_{std::make_unique<VerilatedContext>()} {
        context_->randReset(0);
        top_ = std::make_unique<Vaccel>(context_.get());
    }

    // From reset on, input in every cycle and every label taken; returns how many labels came within
    // `limit` cycles, and in `times` the cycle of each.
    std::size_t run(const std::uint32_t *limits, std::size_t frames, std::uint64_t limit,
                    std::uint64_t *times) {
        std::size_t buffer = 0;
        for (const Buffer &entry : kBuffers) entry.limit(*top_->rootp, limits[buffer++]);
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
        top_->s_axi_bready = top_->s_axi_rready = 0;
        top_->s_axis_tdata = 0;
        top_->s_axis_tvalid = top_->m_axis_tready = 0;
        top_->aresetn = 0;
        for (int cycle = 0; cycle < kResetCycles; ++cycle) tick();
        top_->aresetn = 1;
        top_->s_axis_tvalid = top_->m_axis_tready = 1;
        std::size_t done = 0;
        for (std::uint64_t cycle = 0; done < frames && cycle < limit; ++cycle) {
            top_->aclk = 0;
            top_->eval();
            if (top_->m_axis_tvalid) times[done++] = cycle;
            top_->aclk = 1;
            top_->eval();
        }
        return done;
    }

    std::uint32_t level(std::size_t buffer) const { return kBuffers[buffer].level(*top_->rootp); }

    // 0 idle, 1 a word waits, 2 ready for one, 3 one moves
    int stream(std::size_t number) const {
        const Stream &entry = kStreams[number];
        return entry.valid(*top_->rootp) + 2 * entry.ready(*top_->rootp);
    }

  private:
    void tick() {
        top_->aclk = 0;
        top_->eval();
        top_->aclk = 1;
        top_->eval();
    }

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vaccel> top_;
};

Simulator &of(void *handle) { return *static_cast<Simulator *>(handle); }

}  // namespace

#define DEPTHS_API extern "C" __attribute__((visibility("default")))

DEPTHS_API void *depths_open(void) { return new Simulator; }
DEPTHS_API void depths_close(void *handle) { delete &of(handle); }
DEPTHS_API std::size_t depths_run(void *handle, const std::uint32_t *limits, std::size_t frames,
                                  std::uint64_t limit, std::uint64_t *times) {
    return of(handle).run(limits, frames, limit, times);
}
DEPTHS_API std::uint32_t depths_level(void *handle, std::size_t buffer) {
    return of(handle).level(buffer);
}
DEPTHS_API int depths_stream(void *handle, std::size_t stream) { return of(handle).stream(stream); }
