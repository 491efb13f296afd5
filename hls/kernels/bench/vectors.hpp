// The vectors of a bench: files of hexadecimal numbers, a case a line.
//
//   BENCH INPUTS OUTPUTS [EXPECTED]
//
// A bench reads cases from INPUTS and writes what comes of each to OUTPUTS. With EXPECTED it fails, with the
// first case that differs, unless both files are equal; that is what C simulation and co-simulation of
// Vitis HLS go by.

#pragma once

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include <ap_int.h>
#include <hls_stream.h>

namespace bench {

// The registers of an MRAM memory.
struct Registers {
  ap_uint<3> command;
  ap_uint<2> mode;
  ap_uint<32> rate1;
  ap_uint<32> rate0;
  ap_uint<32> seed;
};

class Vectors {
 public:
  Vectors(int count, char **arguments) : count_(count), arguments_(arguments) {
    if (count_ < 3) {
      std::cerr << "usage: BENCH INPUTS OUTPUTS [EXPECTED]" << std::endl;
      std::exit(2);
    }
    in_.open(arguments_[1]);
    out_.open(arguments_[2]);
    if (!in_ || !out_) {
      std::cerr << "cannot open " << arguments_[1] << " or " << arguments_[2] << std::endl;
      std::exit(2);
    }
  }

  // On to the next case; whether there is one.
  bool next() {
    check_all_read();
    if (cases_) out_ << "\n";
    std::string line;
    if (!std::getline(in_, line)) return false;
    cases_++;
    first_ = true;
    case_.clear();
    case_.str(line);
    return true;
  }

  // Reads a number.
  template <int Width>
  void read(ap_uint<Width> &number) {
    std::string digits;
    if (!(case_ >> digits)) fail("has too few numbers");
    number = 0;
    for (const char digit : digits) {
      const int value = digit <= '9' ? digit - '0' : digit - 'a' + 10;
      if (value < 0 || value > 15) fail("has a digit that is not hexadecimal");
      number = (number << 4) | ap_uint<Width>(value);
    }
  }

  Registers registers() {
    Registers found;
    read(found.command);
    read(found.mode);
    read(found.rate1);
    read(found.rate0);
    read(found.seed);
    return found;
  }

  // Reads numbers into a stream.
  template <int Width>
  void send(hls::stream<ap_uint<Width>> &stream, unsigned numbers) {
    for (unsigned n = 0; n < numbers; n++) {
      ap_uint<Width> number;
      read(number);
      stream.write(number);
    }
  }

  // Writes a number, without leading zeros.
  template <int Width>
  void write(const ap_uint<Width> &number) {
    std::string digits;
    for (ap_uint<Width> rest = number; rest != 0 || digits.empty(); rest >>= Width > 4 ? 4 : Width) {
      digits.insert(digits.begin(), "0123456789abcdef"[static_cast<int>(rest & ap_uint<Width>(15))]);
    }
    out_ << (first_ ? "" : " ") << digits;
    first_ = false;
  }

  // Writes what a stream has, which must be so many numbers.
  template <int Width>
  void receive(hls::stream<ap_uint<Width>> &stream, unsigned numbers) {
    for (unsigned n = 0; n < numbers; n++) {
      if (stream.empty()) fail("gave too few words");
      write(stream.read());
    }
    if (!stream.empty()) fail("gave too many words");
  }

  // Closes the files; 0 if all is as expected.
  int verdict() {
    out_.close();
    if (count_ < 4) return 0;
    std::ifstream found(arguments_[2]);
    std::ifstream expected(arguments_[3]);
    if (!expected) {
      std::cerr << "cannot open " << arguments_[3] << std::endl;
      return 2;
    }
    for (unsigned number = 0;; number++) {
      std::string line;
      std::string wanted;
      const bool more = bool(std::getline(found, line));
      if (more != bool(std::getline(expected, wanted)) || line != wanted) {
        std::cerr << "case " << number << ": found " << line << ", expected " << wanted << std::endl;
        return 1;
      }
      if (!more) break;
    }
    std::cout << cases_ << " cases agree" << std::endl;
    return 0;
  }

 private:
  void check_all_read() {
    std::string rest;
    if (cases_ && case_ >> rest) fail("has too many numbers");
  }

  [[noreturn]] void fail(const char *what) {
    std::cerr << "case " << cases_ - 1 << " " << what << std::endl;
    std::exit(2);
  }

  int count_;
  char **arguments_;
  std::ifstream in_;
  std::ofstream out_;
  std::istringstream case_;
  unsigned cases_ = 0;
  bool first_ = true;
};

}  // namespace bench
