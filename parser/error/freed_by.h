#pragma once

namespace millrace::inline parser {

/// Deleter of a std::unique_ptr to what a C library gives: `std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>`.
template <auto Free>
struct FreedBy {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace millrace::inline parser
