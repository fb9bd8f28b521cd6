#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>

namespace stratumload {

/// A line as a tree that can be changed and written again with its numbers as they were spelt: a number is a string that begins with
/// `number_sign`.
class json_line {
 public:
  using value = rapidjson::Value;
  static constexpr char number_sign = '\x01';

  /// False when it is no JSON object, or one that is nested deeper than any message.
  [[nodiscard]] bool parse(std::string_view text);
  [[nodiscard]] std::string text() const;

  [[nodiscard]] const value& root() const { return document_; }
  /// The member, or null.
  [[nodiscard]] const value* find(const char* key) const;
  /// The string that is the method; empty for an answer.
  [[nodiscard]] std::string_view method() const;
  /// params[index], or null.
  [[nodiscard]] const value* param(unsigned index) const;

  void set_param(unsigned index, std::string_view text);
  void set_id(std::string_view text);  ///< as id_text() gave it

  /// The id with its type: "7" and "\"7\"" are two. Empty when there is none, or null.
  [[nodiscard]] std::string id_text() const;

  [[nodiscard]] static std::string_view string_of(const value* of) {
    return of && of->IsString() ? std::string_view(of->GetString(), of->GetStringLength()) : std::string_view();
  }
  [[nodiscard]] static bool is_number(const value& of) { return of.IsString() && of.GetString()[0] == number_sign; }
  /// A value for people.
  [[nodiscard]] static std::string text_of(const value& of);

 private:
  rapidjson::Document document_;
};

}  // namespace stratumload
