// The simulator library: the Verilated accelerator behind the C functions of docs/contracts.md.
//
// One call moves a whole array, so the loop over clock cycles stays in here. A cycle is: drive the
// inputs, let the combinational paths settle with the clock low, look at the handshakes, raise the
// clock. Whatever is looked at before the edge is what the edge acts on.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vaccel.h"
#include "Vaccel___024root.h"
#include "verilated.h"

namespace {

enum Result : int { kDone = 0, kLimit = 1, kSlaveError = 2, kAssertion = 3 };

constexpr unsigned kResetCycles = 16;
constexpr int kAxiErrorBit = 2;  // BRESP and RRESP are 2'b1x for SLVERR and DECERR

using Root = Vaccel___024root;
using Record = std::vector<std::uint8_t>;  // the words of a tap, one after the other

// A layer boundary. `sample` appends the word to `record` if it is accepted at the next edge.
struct Tap {
    const char *name;
    std::size_t bytes;
    void (*sample)(const Root &, Record &record);
};

template <std::size_t kBytes, typename Word>
inline void append(Record &record, const Word &word) {
    static_assert(kBytes <= sizeof(Word), "the tap's words are wider than its signal");
    const std::size_t end = record.size();
    record.resize(end + kBytes);
    std::memcpy(record.data() + end, &word, kBytes);  // Verilator keeps words little-endian
}

#include "taps.h"  // generated from accel.json: constexpr Tap kTaps[]

constexpr int kTapCount = sizeof(kTaps) / sizeof(kTaps[0]);

// xorshift64*: pauses need to be repeatable, no more.
struct Dice {
    std::uint64_t state = 1;
    void seed(std::uint32_t seed) { state = 0x9E3779B97F4A7C15u ^ (std::uint64_t{seed} << 16 | 1); }
    bool falls_below(std::uint32_t threshold) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return static_cast<std::uint32_t>(state * 0x2545F4914F6CDD1Du >> 32) < threshold;
    }
};

class Simulator {
  public:
    Simulator() : context_(new VerilatedContext), top_(new Vaccel(context_.get(), "accel")) {
        context_->fatalOnError(false);
        make_current();
        top_->aresetn = 0;
        for (unsigned cycle = 0; cycle < kResetCycles; ++cycle) tick();
        top_->aresetn = 1;
        tick();
        cycles_ = 0;
    }

    ~Simulator() { top_->final(); }

    // Verilator reports failed assertions to the context of the thread.
    void make_current() { Verilated::threadContextp(context_.get()); }

    std::uint64_t cycles() const { return cycles_; }
    std::size_t answered() const { return answered_; }

    // Addresses and data run ahead of the responses, as far as the slave accepts them. The limit is
    // on the cycles between two responses.
    int write(std::uint32_t address, std::uint32_t stride, const std::uint32_t *data, std::size_t n,
              std::uint64_t limit, unsigned strobe) {
        std::size_t sent_addresses = 0, sent_words = 0;
        answered_ = 0;
        std::uint64_t start = cycles_;
        bool error = false;
        top_->s_axi_bready = 1;
        top_->s_axi_wstrb = strobe & 0xF;
        // After an error nothing new is sent, but what was sent is waited for.
        std::size_t wanted = n;
        while (answered_ < wanted && !hung_) {
            top_->s_axi_awvalid = sent_addresses < wanted;
            top_->s_axi_awaddr = address + stride * static_cast<std::uint32_t>(sent_addresses);
            top_->s_axi_wvalid = sent_words < wanted;
            top_->s_axi_wdata = sent_words < n ? data[sent_words] : 0;
            settle();
            const bool took_address = top_->s_axi_awvalid && top_->s_axi_awready;
            const bool took_word = top_->s_axi_wvalid && top_->s_axi_wready;
            const bool response = top_->s_axi_bvalid;
            const bool bad = top_->s_axi_bresp & kAxiErrorBit;
            edge();
            sent_addresses += took_address;
            sent_words += took_word;
            if (response && !error) {
                error = bad;
                if (error) {
                    first_error_ = answered_;
                    // A valid that was shown stays until it is accepted.
                    wanted = std::max(sent_addresses + (!took_address && sent_addresses < wanted),
                                      sent_words + (!took_word && sent_words < wanted));
                }
            }
            answered_ += response;
            if (response) start = cycles_;
            hung_ = answered_ < wanted && cycles_ - start >= limit;
        }
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 0;
        return outcome(error);
    }

    int read(std::uint32_t address, std::uint32_t stride, std::uint32_t *data, std::size_t n,
             std::uint64_t limit) {
        std::size_t sent = 0;
        answered_ = 0;
        std::uint64_t start = cycles_;
        bool error = false;
        top_->s_axi_rready = 1;
        std::size_t wanted = n;
        while (answered_ < wanted && !hung_) {
            top_->s_axi_arvalid = sent < wanted;
            top_->s_axi_araddr = address + stride * static_cast<std::uint32_t>(sent);
            settle();
            const bool took = top_->s_axi_arvalid && top_->s_axi_arready;
            const bool response = top_->s_axi_rvalid;
            const bool bad = top_->s_axi_rresp & kAxiErrorBit;
            if (response) data[answered_] = top_->s_axi_rdata;
            edge();
            sent += took;
            if (response && !error) {
                error = bad;
                if (error) {
                    first_error_ = answered_;
                    wanted = sent + (!took && sent < wanted);
                }
            }
            answered_ += response;
            if (response) start = cycles_;
            hung_ = answered_ < wanted && cycles_ - start >= limit;
        }
        top_->s_axi_arvalid = top_->s_axi_rready = 0;
        return outcome(error);
    }

    // With `tlast_seen` the output ends at the first TLAST, as a DMA's does; without, at n_out words.
    int run(const std::uint32_t *in, std::size_t n_in, std::uint32_t *out, std::size_t n_out,
            std::size_t *done_in, std::size_t *done_out, int *tlast_seen, std::uint64_t limit) {
        if (n_in == 0) {  // whoever offered the last word has given up
            top_->s_axis_tvalid = 0;
            taken_between_ = false;
        }
        const Transfer transfer{in, n_in, out, n_out, tlast_seen != nullptr};
        Progress progress;
        const bool plain = !taps_on_ && pause_in_ == 0 && pause_out_ == 0;
        const int result = plain ? stream<true>(transfer, limit, progress)
                                 : stream<false>(transfer, limit, progress);
        top_->m_axis_tready = 0;
        *done_in = progress.in;
        *done_out = progress.out;
        if (tlast_seen) *tlast_seen = progress.tlast;
        return result;
    }

    void pauses(std::uint32_t in, std::uint32_t out, std::uint32_t seed) {
        pause_in_ = in;
        pause_out_ = out;
        dice_.seed(seed);
    }

    void enable(int tap, bool on) {
        enabled_[tap] = on;
        taps_on_ = false;
        for (const bool enabled : enabled_) taps_on_ |= enabled;
    }

    Record &record(int tap) { return records_[tap]; }

  private:
    struct Transfer {
        const std::uint32_t *in;
        std::size_t n_in;
        std::uint32_t *out;
        std::size_t n_out;
        bool ends_at_tlast;
    };

    struct Progress {
        std::size_t in = 0;
        std::size_t out = 0;
        bool tlast = false;
    };

    template <bool kPlain>
    int stream(const Transfer &transfer, std::uint64_t limit, Progress &progress) {
        Progress now;  // a copy of its own lives in registers
        if (taken_between_) {  // the word that the last call left standing
            now.in = 1;
            taken_between_ = false;
        }
        const std::uint64_t end = cycles_ + limit;
        bool out_open = now.out < transfer.n_out;
        while ((now.in < transfer.n_in || out_open) && cycles_ < end && healthy()) {
            const bool more = now.in < transfer.n_in;
            if (kPlain) {
                top_->s_axis_tvalid = more;
                top_->m_axis_tready = out_open;
            } else {
                // A word that was offered stays until it is accepted.
                const bool standing = top_->s_axis_tvalid;
                top_->s_axis_tvalid = more && (standing || !dice_.falls_below(pause_in_));
                top_->m_axis_tready = out_open && !dice_.falls_below(pause_out_);
            }
            if (more) top_->s_axis_tdata = transfer.in[now.in];
            settle();
            const bool in_moves = top_->s_axis_tvalid && top_->s_axis_tready;
            const bool out_moves = top_->m_axis_tvalid && top_->m_axis_tready;
            if (out_moves) {
                transfer.out[now.out++] = top_->m_axis_tdata;
                now.tlast = transfer.ends_at_tlast && top_->m_axis_tlast;
                out_open = now.out < transfer.n_out && !now.tlast;
            }
            if (!kPlain) sample_taps();
            raise();
            if (in_moves) {
                ++now.in;
                top_->s_axis_tvalid = 0;
            }
        }
        progress = now;
        if (!healthy()) return kAssertion;
        return now.in < transfer.n_in || out_open ? kLimit : kDone;
    }

    // A cycle outside stream(): a word left standing may be accepted, taps go on recording.
    void edge() {
        if (top_->s_axis_tvalid && top_->s_axis_tready) taken_between_ = true;
        if (taps_on_) sample_taps();
        raise();
        if (taken_between_) top_->s_axis_tvalid = 0;
    }

    void tick() {
        settle();
        edge();
    }

    void settle() {
        top_->aclk = 0;
        top_->eval();
    }

    void raise() {
        top_->aclk = 1;
        top_->eval();
        ++cycles_;
    }

    void sample_taps() {
        for (int tap = 0; tap < kTapCount; ++tap) {
            if (enabled_[tap]) kTaps[tap].sample(*top_->rootp, records_[tap]);
        }
    }

    bool healthy() const { return !context_->gotError(); }

    int outcome(bool error) {
        if (!healthy()) return kAssertion;
        if (hung_) return kLimit;
        if (error) answered_ = first_error_;
        return error ? kSlaveError : kDone;
    }

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vaccel> top_;
    std::uint64_t cycles_ = 0;
    std::size_t answered_ = 0;
    std::size_t first_error_ = 0;
    bool hung_ = false;           // an access was never answered: the bus stays blocked, as a board's
    bool taken_between_ = false;  // the input word left standing was accepted outside stream()
    std::uint32_t pause_in_ = 0;
    std::uint32_t pause_out_ = 0;
    Dice dice_;
    bool taps_on_ = false;
    bool enabled_[kTapCount] = {};
    Record records_[kTapCount];
};

Simulator &of(void *handle) {
    Simulator &simulator = *static_cast<Simulator *>(handle);
    simulator.make_current();
    return simulator;
}

}  // namespace

#define SPIN_API extern "C" __attribute__((visibility("default")))

SPIN_API void *spin_open(void) { return new Simulator; }

SPIN_API void spin_close(void *handle) { delete &of(handle); }

SPIN_API std::uint64_t spin_cycles(void *handle) { return of(handle).cycles(); }

SPIN_API int spin_axil_write(void *handle, std::uint32_t addr, std::uint32_t stride,
                             const std::uint32_t *data, std::size_t n, std::uint64_t limit,
                             unsigned strobe) {
    return of(handle).write(addr, stride, data, n, limit, strobe);
}

SPIN_API int spin_axil_read(void *handle, std::uint32_t addr, std::uint32_t stride,
                            std::uint32_t *data, std::size_t n, std::uint64_t limit) {
    return of(handle).read(addr, stride, data, n, limit);
}

// Accesses that the last write or read call finished before it stopped: tells the address of an error.
SPIN_API std::size_t spin_axil_done(void *handle) { return of(handle).answered(); }

SPIN_API int spin_run(void *handle, const std::uint32_t *in, std::size_t n_in, std::uint32_t *out,
                      std::size_t n_out, std::size_t *done_in, std::size_t *done_out,
                      int *tlast_seen, std::uint64_t limit) {
    return of(handle).run(in, n_in, out, n_out, done_in, done_out, tlast_seen, limit);
}

SPIN_API void spin_pauses(void *handle, std::uint32_t in_T, std::uint32_t out_T,
                          std::uint32_t seed) {
    of(handle).pauses(in_T, out_T, seed);
}

SPIN_API int spin_tap_count(void *) { return kTapCount; }

SPIN_API const char *spin_tap_name(void *, int tap) { return kTaps[tap].name; }

SPIN_API void spin_tap_enable(void *handle, int tap, int on) { of(handle).enable(tap, on != 0); }

SPIN_API std::size_t spin_tap_words(void *handle, int tap, std::size_t *bytes_per_word) {
    *bytes_per_word = kTaps[tap].bytes;
    return of(handle).record(tap).size() / kTaps[tap].bytes;
}

SPIN_API void spin_tap_read(void *handle, int tap, void *out) {
    Record &record = of(handle).record(tap);
    std::memcpy(out, record.data(), record.size());
    record.clear();
}
