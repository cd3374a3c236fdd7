// @ts-check
export class FieldView extends HTMLElement {
  constructor(){super();this.place=1;this.busy=false;this.current=null;}
  follow(state){this.state=state}
  targets(){return []}
  onKey(){return false}
  async showCell(){}
  async askCircle(){return null}
  kindOfMissed(){return "ALL"}
}
customElements.define("field-view", FieldView);
