// JSON as text, members in the order of the calls: the same content gives the same bytes.
//
//   JsonWriter w;
//   w.begin_object().field("loss", 0.5).key("top").begin_array().value(1).value(5).end_array().end_object();
//   w.text();  // {"loss":0.5,"top":[1,5]}
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace vitrail {

class JsonWriter {
 public:
  // Spaces per level, each member on a line of its own; -1: everything on one line, without spaces.
  explicit JsonWriter(int indent = -1) : indent_(indent) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(const std::string& name);

  // Texts may hold any bytes: what is not UTF-8 is written as U+FFFD. A number that is not finite is written as null, since
  // JSON cannot express it. Numbers read back to the same bits.
  JsonWriter& value(const std::string& text);
  JsonWriter& value(const char* text) { return value(std::string(text)); }
  JsonWriter& value(double number);
  template <std::integral T>
  JsonWriter& value(T number) {
    if constexpr (std::same_as<T, bool>) return put(number ? "true" : "false");
    return put(std::to_string(number));
  }
  JsonWriter& null() { return put("null"); }
  template <class T>
  JsonWriter& value(const std::vector<T>& items) {
    begin_array();
    for (const T& item : items) value(item);
    return end_array();
  }
  // A value that is JSON text already, as another writer made it; its lines are indented to fit.
  JsonWriter& raw(const std::string& json);

  template <class T>
  JsonWriter& field(const std::string& name, const T& content) {
    return key(name).value(content);
  }

  const std::string& text() const { return text_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& put(const std::string& token);
  void next_item();
  void new_line();

  std::string text_;
  int indent_, depth_ = 0;
  bool first_ = true, after_key_ = false;
};

// "text" with quotes and escapes; control characters (DEL and C1 too) as \u00NN, so that JSON may be shown on a terminal.
std::string json_quoted(const std::string& text);

}  // namespace vitrail
